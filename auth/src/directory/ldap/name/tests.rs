use super::of_group;

#[test]
fn a_group_is_called_as_the_first_part_of_its_name() {
    for (dn, base, expected) in [
        ("cn=office,ou=groups,dc=x", "", Some("office")),
        ("cn=office,ou=groups,dc=x", "ou=groups,dc=x", Some("office")),
        ("cn=office, OU=Groups, dc=x", "ou=groups,dc=x", Some("office")),
        ("cn=office,ou=a,ou=groups,dc=x", "ou=groups,dc=x", Some("office")),
        ("cn=office,ou=others,dc=x", "ou=groups,dc=x", None),
        ("cn=office,ou=notgroups,dc=x", "groups,dc=x", None),
        ("cn=a\\,ou=groups\\,dc=x", "ou=groups,dc=x", None),
        ("cn=Office\\, north,dc=x", "", Some("Office, north")),
        ("cn=\\c3\\a9t\\c3\\a9,dc=x", "", Some("été")),
        ("cn=a+sn=b,dc=x", "", None),
        ("cn=\\ff,dc=x", "", None),
        ("cn=a\\", "", None),
        ("cn=top", "", Some("top")),
        ("office", "", Some("office")),
        ("office", "dc=x", None),
    ] {
        assert_eq!(of_group(dn, base).as_deref(), expected, "{dn} below {base:?}");
    }
}
