use super::*;

fn is_clause(id: &str) -> bool {
    let numbers = |text: &str| !text.is_empty() && text.split('.').all(|part| part.parse::<u8>().is_ok());
    match id.strip_prefix("MQTT-") {
        Some(rest) => rest
            .split_once('-')
            .is_some_and(|(section, number)| numbers(section) && numbers(number)),
        None => id == PROPERTIES || id.strip_prefix("section ").is_some_and(numbers),
    }
}

#[test]
fn every_rule_names_a_place_in_both_standards() {
    for rule in rules::ALL {
        assert!(is_clause(rule.v311) && rule.v311 != PROPERTIES, "{rule:?}");
        assert!(is_clause(rule.v5), "{rule:?}");
        assert!(!rule.detail.is_empty());
    }
}

#[test]
fn a_violation_reads_in_one_line() {
    let violation = Violation::new(&rules::PROPERTY_TWICE, Version::V5);
    assert_eq!(violation.to_string(), "a property given twice (section 2.2.2.2 in 5.0)");
    assert_eq!(
        violation.in_packet(PacketKind::Auth).to_string(),
        "AUTH: a property given twice (section 3.15.2.2 in 5.0)"
    );
    let old = Violation::new(&rules::QOS_3, Version::V31).in_packet(PacketKind::Publish);
    assert_eq!(old.to_string(), "PUBLISH: QoS 3 ([MQTT-3.3.1-4] in 3.1.1)");
    assert_eq!(
        format!("{old:?}"),
        "Violation(PUBLISH: QoS 3 ([MQTT-3.3.1-4] in 3.1.1), 0x81)"
    );
}

#[test]
fn every_packet_with_properties_has_its_section() {
    let sections: std::collections::HashSet<_> = PacketKind::ALL
        .into_iter()
        .map(|kind| properties_section(Some(kind)))
        .collect();
    assert_eq!(sections.len(), 14);
}

#[test]
fn a_violation_is_small_enough_to_return_from_everywhere() {
    assert!(size_of::<Violation>() <= 16);
}
