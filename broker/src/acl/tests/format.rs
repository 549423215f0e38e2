//! What a book may look like, and what is said about one that it may not.

use super::{Action, book, nobody, roger};
use crate::acl::Rights;

#[test]
fn space_comments_and_line_ends_do_not_matter() {
    let rights = book("\u{feff}# comment\r\n\r\n  user   roger  \r\n\ttopic \t read  a/b c \r\n#topic read z\n");
    assert!(roger().reads(&rights, "a/b c"));
    assert!(!roger().writes(&rights, "a/b c"));
    assert!(!roger().reads(&rights, "z"));
    assert!(!nobody().reads(&rights, "a/b c"));
}

#[test]
fn a_word_alone_is_a_topic_to_read_and_write() {
    let rights = book("user roger\ntopic read\ntopic #\n");
    assert_eq!(roger().decide(&rights, Action::Publish, "read").rule, Some(2));
    assert_eq!(roger().decide(&rights, Action::Receive, "other").rule, Some(3));
}

#[test]
fn topic_lines_have_no_patterns() {
    let rights = book("user roger\ntopic read a/%u\npattern read b/%u\n");
    assert!(roger().reads(&rights, "a/%u"));
    assert!(!roger().reads(&rights, "a/roger"));
    assert!(roger().reads(&rights, "b/roger"));
}

#[test]
fn names_may_hold_spaces() {
    let rights = book("user roger the second\ntopic a\n");
    assert!(super::Somebody::new(Some("roger the second"), "x").reads(&rights, "a"));
    assert!(!roger().reads(&rights, "a"));
}

/// Each fault is named with its line, and says what to do.
#[test]
fn faults_have_a_line_and_a_remedy() {
    let cases = [
        ("topics a", "no line begins with `topics`"),
        ("user", "`user` without a name"),
        ("group  ", "`group` without a name"),
        ("everyone else", "`everyone` has no name"),
        ("address 10.0.0.0/33", "`10.0.0.0/33`: this is no IP address"),
        ("address 10.0.0.1/8", "has bits behind the prefix length"),
        ("address here", "`here`: this is no IP address"),
        ("topic", "no topic"),
        ("topic reed a/b", "`reed` is no access"),
        ("topic a/#/b", "`a/#/b`: this is no topic filter"),
        ("topic a+", "this is no topic filter"),
        ("pattern read a/x%c/b", "%u and %c stand for a whole level"),
        ("allow", "`` is nothing that can be allowed"),
        ("allow publish", "no topic"),
        ("allow write a", "`write` is nothing that can be allowed"),
        ("allow publish,writ a", "`writ` is nothing"),
        ("allow publish a qos<=3", "`qos<=3` is no bound of QoS"),
        ("allow publish a qos=1", "`qos=1` is no bound of QoS"),
        ("deny subscribe $share/g/a", "not of a share name"),
        ("allow publish a\0b", "this is no topic filter"),
    ];
    for (line, what) in cases {
        let error = Rights::parse("/etc/acl", &format!("# one\n\n{line}\nuser x\n")).expect_err(line);
        assert_eq!(error.line, 3, "{line}");
        let text = error.to_string();
        assert!(text.starts_with("/etc/acl:3: ") && text.contains(what), "{text}");
        assert!(error.remedy.len() > 10 && !text.contains('\n'), "{text}");
    }
}

#[test]
fn a_fault_does_not_repeat_a_line_of_any_length() {
    let error = Rights::parse("acl", &"é".repeat(100_000)).expect_err("no line");
    assert!(error.to_string().len() < 400);
}
