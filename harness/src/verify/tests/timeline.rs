use super::super::timeline::Timeline;
use tokio::time::Instant;

#[test]
fn beginning_and_end_are_kept_and_the_rest_is_counted() {
    let timeline = Timeline::new(Instant::now());
    for index in 0..1000 {
        timeline.note("s", "call", &index.to_string());
    }
    let entries = timeline.finish();
    assert_eq!(entries.len(), 121);
    assert_eq!((entries[0].text.as_str(), entries[59].text.as_str()), ("0", "59"));
    assert_eq!(entries[60].text, "880 more entries left out");
    assert_eq!((entries[61].text.as_str(), entries[120].text.as_str()), ("940", "999"));
}
