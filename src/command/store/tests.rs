use super::{as_date, hex, in_units};

#[test]
fn times_are_dates_and_bytes_have_units() {
    assert_eq!(as_date(0), "1970-01-01 00:00:00Z");
    assert_eq!(as_date(951_782_400_000), "2000-02-29 00:00:00Z");
    assert_eq!(as_date(1_735_689_599_999), "2024-12-31 23:59:59Z");
    assert_eq!(as_date(4_107_542_400_000), "2100-03-01 00:00:00Z");
    assert_eq!(in_units(1023), "1023 bytes");
    assert_eq!(in_units(8 << 20), "8.0 MiB");
    assert_eq!(hex(&[0, 0xab]), "00ab");
}
