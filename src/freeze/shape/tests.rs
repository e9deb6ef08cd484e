use proptest::prelude::*;

use super::*;

fn length(text: &str) -> Length {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn drawn(text: &str, seed: u64, count: usize) -> Vec<i64> {
    let (sampler, mut generator) = (length(text).sampler().unwrap(), Seed(seed).lengths());
    (0..count).map(|_| sampler.sample(&mut generator).as_nanos()).collect()
}

#[test]
fn lengths_are_read_and_printed() {
    for (text, printed) in [
        ("200ms", "200ms"),
        ("0.2s", "200ms"),
        ("2d", "2d"),
        ("uniform(10ms,2s)", "uniform(10ms,2s)"),
        ("uniform( 0s , 0.5s )", "uniform(0s,500ms)"),
        ("exponential(300ms)", "exponential(300ms)"),
        ("lognormal(200ms,0.50)", "lognormal(200ms,0.5)"),
        ("pareto(50ms,1.5)", "pareto(50ms,1.5)"),
        ("file(/tmp/a (1), b.log)", "file(/tmp/a (1), b.log)"),
    ] {
        assert_eq!(length(text).to_string(), printed);
    }
    assert_eq!(length("5s").as_fixed(), Some(Span::from_secs(5)));
    assert_eq!(length("file(gc.log)").path(), Some(Path::new("gc.log")));
}

#[test]
fn refusals_say_where_and_what_to_write() {
    for (text, fragments) in [
        ("", ["it is empty", "1h30m"].as_slice()),
        ("5", &["write 5s or 5ms"]),
        ("-5s", &["longer than nothing"]),
        ("0s", &["longer than nothing"]),
        ("gaussian", &["'gaussian' is no span", "uniform(FROM,TO), exponential(MEAN)", "file(PATH)"]),
        ("normal(1s,2s)", &["character 1", "no distribution 'normal'", "pareto(SCALE,SHAPE)"]),
        ("(1s)", &["no distribution ''"]),
        ("uniform(1s", &["character 11", "parenthesis is not closed"]),
        ("uniform(1s,2s)x", &["character 15", "'x' follows"]),
        ("uniform()", &["character 9", "it takes two values, and has 0"]),
        ("uniform(1s)", &["character 11", "it takes two values, and has 1", "uniform(10ms,2s)"]),
        ("uniform(1s,2s,3s)", &["character 15", "it takes two values, and has 3"]),
        ("uniform(1s, 2x)", &["character 13", "'2x' is no span", "the units are ns"]),
        ("uniform(\u{b5}, 2s)", &["character 9", "is no span"]),
        ("uniform(2s,1s)", &["it has nothing in it", "shorter span first"]),
        ("uniform(1s,1s)", &["it has nothing in it"]),
        ("uniform(-1s,1s)", &["begins below zero"]),
        ("uniform(1s,25h)", &["1d1h is not between 1us and 1d"]),
        ("exponential(0s)", &["0s is not between"]),
        ("exponential(-300ms)", &["-300ms is not between"]),
        ("exponential(1ns)", &["1ns is not between"]),
        ("lognormal(200ms)", &["it takes two values, and has 1", "lognormal(200ms,0.5)"]),
        ("lognormal(200ms,0)", &["its sigma, 0, is not above 0"]),
        ("lognormal(200ms,-1)", &["character 17", "'-1' is not a number above 0"]),
        ("lognormal(200ms,NaN)", &["character 17", "'NaN' is not a number"]),
        ("lognormal(200ms,inf)", &["'inf' is not a number"]),
        ("lognormal(200ms,1e3)", &["'1e3' is not a number"]),
        ("lognormal(200ms,1.2.3)", &["'1.2.3' is not a number"]),
        ("pareto(50ms,101)", &["its shape, 101, is not above 0 and at most 100"]),
        ("pareto(2d,1.5)", &["2d is not between"]),
        ("file()", &["character 6", "it names no file"]),
    ] {
        let error = text.parse::<Length>().unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::BadInput);
        for fragment in fragments {
            assert!(error.to_string().contains(fragment), "{text}: {fragment:?} is not in {error}");
        }
    }
}

/// A change of these is a change of what a seed means, to be told in CHANGELOG.md.
#[test]
fn the_same_seed_draws_the_same_on_every_machine() {
    for (text, expected) in [
        ("200ms", [200_000_000, 200_000_000, 200_000_000]),
        ("uniform(10ms,2s)", [324_014_233, 344_298_832, 1_411_509_495]),
        ("exponential(300ms)", [47_496_000, 142_307_000, 644_601_000]),
        ("lognormal(200ms,0.5)", [135_725_000, 100_144_000, 312_053_000]),
        ("pareto(50ms,1.5)", [171_227_000, 164_229_000, 63_165_000]),
        ("file(tests/data/gc.log)", [2_514_000, 2_514_000, 303_000]),
    ] {
        assert_eq!(drawn(text, 7, 3), expected, "{text}");
    }
    let mut gaps = Seed(7).gaps();
    let gap = length("uniform(10ms,2s)").gap_sampler().unwrap().sample(&mut gaps);
    assert_eq!(gap.as_nanos(), 1_984_296_463);
}

#[test]
fn quantiles_are_those_of_the_distribution() {
    // The value below which this part of all draws lies, by the textbook's formula, in milliseconds.
    for (text, part, millis) in [
        ("uniform(10ms,2s)", 0.5, 1_005.0),
        ("uniform(10ms,2s)", 0.9, 1_801.0),
        ("exponential(300ms)", 0.5, 300.0 * 2_f64.ln()),
        ("exponential(300ms)", 0.9, 300.0 * 10_f64.ln()),
        ("lognormal(200ms,0.5)", 0.5, 200.0),
        ("lognormal(200ms,0.5)", 0.841_345, 200.0 * 0.5_f64.exp()),
        ("pareto(50ms,1.5)", 0.5, 50.0 * 2_f64.powf(1.0 / 1.5)),
        ("pareto(50ms,1.5)", 0.9, 50.0 * 10_f64.powf(1.0 / 1.5)),
        ("lognormal(50ms,0.77)", 0.99, 300.0),
    ] {
        let count = 40_000;
        let mut all = drawn(text, 1, count);
        all.sort();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the count"
        )]
        let found = all[(part * count as f64) as usize] as f64 / 1e6;
        assert!((found / millis - 1.0).abs() < 0.03, "{text} at {part}: {found}, expected {millis}");
    }
}

#[test]
fn draws_are_capped_and_never_nothing() {
    let (least, most) = (SHORTEST.as_nanos(), LONGEST.as_nanos());
    for text in
        ["pareto(24h,0.1)", "lognormal(24h,100)", "lognormal(1us,100)", "exponential(24h)", "uniform(0s,1us)"]
    {
        for nanos in drawn(text, 3, 2_000) {
            assert!((least..=most).contains(&nanos), "{text}: {nanos}");
        }
    }
    assert!(drawn("pareto(24h,0.1)", 3, 10).iter().all(|nanos| *nanos == most));
    assert!(drawn("lognormal(1us,100)", 3, 100).contains(&least));
}

#[test]
fn a_file_is_drawn_from_evenly_and_a_log_has_gaps_of_its_own() {
    let count = 6_000;
    let all = drawn("file(tests/data/gc.log)", 5, count);
    for pause in [2_514_000, 303_000, 3_672_000, 2_716_000, 554_000, 75_000] {
        let share = all.iter().filter(|nanos| **nanos == pause).count() * 6;
        assert!(share.abs_diff(count) < count / 5, "{pause}: {share} of {count}");
    }
    let log = length("file(tests/data/gc.log)");
    let gaps = log.gap_sampler().unwrap();
    let (format, count, least, most) = gaps.recorded().unwrap();
    assert_eq!((format.to_string(), count), ("a JVM log with collections".to_owned(), 4));
    assert_eq!((least.as_nanos(), most.as_nanos()), (925_000, 50_697_000));
    assert!(length("file(/nowhere)").sampler().is_err());
}

#[test]
fn fresh_seeds_differ() {
    assert_ne!(Seed::fresh(), Seed::fresh());
}

#[test]
fn presets_are_lengths_that_can_be_written() {
    use clap::ValueEnum;
    for preset in Preset::ALL {
        for length in [preset.length(), preset.gap()] {
            assert_eq!(length.to_string().parse::<Length>().unwrap(), length);
            assert!(length.sampler().is_ok());
        }
        assert!(!preset.source().is_empty());
        let value = preset.to_possible_value().unwrap();
        assert_eq!(value.get_name(), preset.name());
        // What the help says of it has its figures from here.
        assert!(value.get_help().is_some());
    }
    assert_eq!(Preset::value_variants(), Preset::ALL);
}

fn any_length() -> impl Strategy<Value = Length> {
    let span = (SHORTEST.as_nanos()..=LONGEST.as_nanos()).prop_map(Span::from_nanos);
    let number = (1_u32..=100_000).prop_map(|thousandths| f64::from(thousandths) / 1_000.0);
    prop_oneof![
        (1..=i64::MAX).prop_map(|nanos| Length::fixed(Span::from_nanos(nanos)).unwrap()),
        (span.clone(), span.clone()).prop_filter_map("empty", |(from, to)| Length::uniform(from, to).ok()),
        span.clone().prop_map(|mean| Length::exponential(mean).unwrap()),
        (span.clone(), number.clone()).prop_map(|(median, sigma)| Length::lognormal(median, sigma).unwrap()),
        (span, number).prop_map(|(scale, shape)| Length::pareto(scale, shape).unwrap()),
        "[^\u{0}]{1,20}".prop_map(Length::file),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(length in any_length()) {
        prop_assert_eq!(length.to_string().parse::<Length>().unwrap(), length);
    }

    #[test]
    fn draws_are_within_bounds(length in any_length(), seed in any::<u64>()) {
        prop_assume!(length.path().is_none());
        let (sampler, mut generator) = (length.sampler().unwrap(), Seed(seed).lengths());
        for _ in 0..50 {
            let span = sampler.sample(&mut generator);
            prop_assert!(length.as_fixed() == Some(span) || (span >= SHORTEST && span <= LONGEST));
            match length.0 {
                Kind::Uniform { from, to } => prop_assert!(span >= from && span <= to),
                // Rounded to a microsecond.
                Kind::Pareto { scale, .. } => prop_assert!(span.as_nanos() + 500 >= scale.as_nanos()),
                _ => {}
            }
        }
    }

    #[test]
    fn no_text_panics(text in "(uniform|exponential|lognormal|pareto|file|\\(|\\)|,|[0-9.]{1,3}|ms|s|-| |.){0,10}") {
        if let Ok(length) = text.parse::<Length>() {
            prop_assert_eq!(length.to_string().parse::<Length>().unwrap(), length);
        }
    }
}
