use super::*;

fn axis(title: &str, scale: Scale) -> Axis {
    Axis {
        title: title.to_owned(),
        scale,
        tick: |value| format!("{value}"),
    }
}

fn lines(points: &[&[(f64, f64)]]) -> Lines {
    Lines {
        name: "Latency".to_owned(),
        x: axis("time (s)", Scale::Linear),
        y: axis("latency (µs)", Scale::Log),
        note: |value| format!("{value} µs"),
        series: points
            .iter()
            .enumerate()
            .map(|(index, points)| Series {
                name: format!("series {index}"),
                colour: index,
                dashed: index == 1,
                points: points.to_vec(),
            })
            .collect(),
    }
}

/// All numbers of an attribute, wherever it occurs.
fn numbers(svg: &str, attribute: &str) -> Vec<f64> {
    svg.split(&format!(" {attribute}=\""))
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn a_line_stays_within_its_frame_and_its_axes_are_named() {
    let chart = lines(&[
        &[(0.0, 10.0), (1.0, 200.0), (2.0, 90.0)],
        &[(0.0, 30.0), (2.0, 5_000.0)],
    ]);
    for frame in [WIDE, NARROW] {
        let svg = chart.draw(frame);
        assert!(svg.contains(">time (s)</text>"), "{svg}");
        assert!(svg.contains(">latency (µs)</text>"), "{svg}");
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert_eq!(svg.matches("dashed").count(), 1);
        for (attribute, limit) in [("x1", frame.width), ("x2", frame.width), ("y1", frame.height)] {
            for number in numbers(&svg, attribute) {
                assert!((0.0..=limit).contains(&number), "{attribute} {number}");
            }
        }
        let points = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let xs: Vec<f64> = points
            .split_whitespace()
            .map(|point| point.split(',').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(xs.len(), 3);
        assert!(xs.is_sorted());
    }
}

#[test]
fn a_pointer_is_told_the_values_of_all_lines() {
    let svg = lines(&[&[(0.0, 10.0), (1.0, 200.0)], &[(0.0, 30.0), (1.0, 40.0)]]).draw(WIDE);
    assert!(
        svg.contains("<title>1 s\nseries 0: 200 µs\nseries 1: 40 µs</title>"),
        "{svg}"
    );
}

#[test]
fn nothing_to_draw_is_said() {
    for chart in [lines(&[]), lines(&[&[]]), lines(&[&[], &[]])] {
        let svg = chart.draw(NARROW);
        assert!(svg.contains("no samples"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}

#[test]
fn a_single_sample_is_a_dot() {
    let svg = lines(&[&[(0.0, 10.0)]]).draw(NARROW);
    assert!(svg.contains("<circle class=\"dot c0\""));
    assert!(!svg.contains("<polyline"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn what_has_no_place_on_the_scale_is_left_out() {
    let svg = lines(&[&[(0.0, 0.0), (1.0, f64::NAN), (2.0, 10.0), (3.0, 20.0)]]).draw(WIDE);
    let points = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(points.split_whitespace().count(), 2);
}

#[test]
fn names_cannot_leave_their_element() {
    let evil = "<script>alert(\"1\")</script>&'\u{1b}";
    let bars = Bars {
        name: evil.to_owned(),
        x: axis(evil, Scale::Linear),
        bars: vec![Bar {
            name: evil.to_owned(),
            colour: 7,
            value: 1.0,
            spread: (0.5, 2.0),
            label: evil.to_owned(),
        }],
    };
    let svg = bars.to_html();
    assert!(!svg.contains("<script"));
    assert!(!svg.contains('\u{1b}'));
    assert!(svg.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;"));
    assert!(svg.contains("class=\"bar c1\""), "colours come round again");
}

#[test]
fn bars_show_their_spread_only_if_there_is_one() {
    let bar = |spread| Bar {
        name: "mosquitto".to_owned(),
        colour: 1,
        value: 10.0,
        spread,
        label: "10 µs".to_owned(),
    };
    let draw = |spread| {
        Bars {
            name: "CPU".to_owned(),
            x: axis("CPU per delivery (µs)", Scale::Linear),
            bars: vec![bar(spread)],
        }
        .draw(NARROW)
    };
    assert_eq!(draw((8.0, 12.0)).matches("class=\"spread\"").count(), 3);
    assert_eq!(draw((10.0, 10.0)).matches("class=\"spread\"").count(), 0);
    let longest = numbers(&draw((8.0, 12.0)), "width").into_iter().fold(0.0, f64::max);
    assert!(longest < NARROW.width);
}

#[test]
fn ratios_stand_around_one() {
    let dot = |name: &str, colour, value| Dot {
        name: name.to_owned(),
        colour,
        value,
        spread: (value * 0.9, value * 1.1),
        label: format!("{value}×"),
    };
    let chart = Dots {
        name: "Ratios".to_owned(),
        x: axis("times the cost of strowger", Scale::Log),
        rows: vec![Row {
            name: "p2p QoS 0".to_owned(),
            dots: vec![dot("strowger", 0, 1.0), dot("mosquitto", 1, 10.0), dot("none", 2, 0.0)],
        }],
    };
    let svg = chart.draw(NARROW);
    let centres = numbers(&svg, "cx");
    assert_eq!(centres.len(), 2, "a ratio of nothing has no place");
    assert!(centres[1] < centres[0], "the reference is drawn last and stands left");
    assert!(svg.contains("<title>mosquitto: 10×</title>"));
    let empty = Dots {
        rows: Vec::new(),
        ..chart
    };
    assert!(!empty.draw(WIDE).contains("NaN"));
}
