//! What a URL is made of, and what of it is never shown.

use super::*;

fn parse(text: &str) -> StoreUrl {
    StoreUrl::parse(text).unwrap()
}

#[test]
fn a_url_is_taken_apart() {
    let url = parse("Redis://app:pa%2Fss@db1:6379/0?tls=no&quick");
    assert_eq!(
        (url.scheme(), url.host(), url.path()),
        ("redis", "db1:6379", "/0")
    );
    assert_eq!(url.user(), Some("app"));
    assert_eq!(url.password().map(Secret::expose), Some("pa/ss"));
    let file = parse("file:///srv/a%20b@c");
    assert_eq!(
        (file.host(), file.path(), file.user()),
        ("", "/srv/a b@c", None)
    );
    assert_eq!(parse("file:").path(), "");
}

#[test]
fn a_password_is_never_printed() {
    for text in [
        "redis://:canary@db1:6379/0",
        "redis://app:canary@db1/0?timeout=1s",
        "azblob://a/b?sig=canary",
        "redis://app:ca@canary@db1/0",
    ] {
        let url = parse(text);
        assert!(url.has_password(), "{text}");
        let shown = format!(
            "{url} {url:?} {} {:?}",
            url.without_password(),
            url.options()
        );
        assert!(!shown.contains("canary"), "{shown}");
        assert!(!parse(&url.without_password()).has_password());
    }
    let url = parse("redis://app:canary@db1/0?timeout=1s");
    assert_eq!(url.without_password(), "redis://app@db1/0?timeout=1s");
    for text in [
        "redis://app:can/ary@db1/0",
        "redis://app:can/a@ry@db1/0",
        "redis://app:a@can/ary@db1/0",
        "redis://app:can?ary@db1/0",
        "redis://app:can/a?ry@db1/0",
        "redis://app:a@can?ary@db1/0",
        "redis://:?canary@db1/0",
        "redis:app:canary@db1/0",
        "redis:?app:canary@db1/0",
        "canary",
        "redis://x:canary%zz@h",
    ] {
        let error = StoreUrl::parse(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("ary"), "{error}");
    }
}

#[test]
fn a_password_is_added_in_memory_and_not_shown() {
    let canary = || Secret::new("ca/n@ry".to_owned());
    let url = parse("redis://app@db1/0?timeout=1s")
        .with_password(canary())
        .unwrap();
    assert_eq!(url.password().map(Secret::expose), Some("ca/n@ry"));
    assert_eq!((url.user(), url.host()), (Some("app"), "db1"));
    assert_eq!(url.without_password(), "redis://app@db1/0?timeout=1s");
    assert!(!format!("{url} {url:?}").contains("ca/"));
    for text in ["memory:", "redis://:x@db1", "azblob://a/b?sig=x"] {
        assert!(parse(text).with_password(canary()).is_err(), "{text}");
    }
}

#[test]
fn what_is_printed_without_its_password_is_the_same_place() {
    for text in [
        "redis://a%2Fb@h/0",
        "redis://a%3Ab@h/0",
        "redis://a%2Fb/c",
        "redis:%2F/h",
    ] {
        let url = parse(text);
        let again = parse(&url.without_password());
        let parts = |url: &StoreUrl| {
            let parts = [url.host(), url.path(), url.user().unwrap_or_default()];
            (parts.map(str::to_owned), url.has_password())
        };
        assert_eq!(parts(&again), parts(&url), "{text}");
    }
}

#[test]
fn control_characters_are_refused_however_they_are_written() {
    for text in [
        "redis://h%0d%0aQUIT/0",
        "redis://h/%0D%0A",
        "file:///a\nb",
        "file:///%00",
        "file:///%c2%9b",
    ] {
        let error = StoreUrl::parse(text).unwrap_err();
        assert!(matches!(error, UrlError::Control(_)), "{text}");
    }
    assert_eq!(
        StoreUrl::parse("file:///%ff").unwrap_err(),
        UrlError::BadEscape
    );
    assert_eq!(
        StoreUrl::parse("file:///%+1").unwrap_err(),
        UrlError::BadEscape
    );
    assert_eq!(
        StoreUrl::parse("file:///a#b").unwrap_err(),
        UrlError::Fragment
    );
}

#[test]
fn what_is_left_or_doubled_is_an_error() {
    let mut options = parse("x:?tmieout=1").options();
    assert!(options.take_param("timeout").unwrap().is_none());
    assert_eq!(
        options.finish().unwrap_err().to_string(),
        r#"unknown option "tmieout" in the store URL; did you mean "timeout"?"#
    );
    let mut options = parse("x:?n=1&n=2").options();
    assert_eq!(
        options.take_number("n").unwrap_err(),
        UrlError::Twice("n".into())
    );
    let mut options = parse("x:?n=canary&shared=yes&m").options();
    let error = options.take_number("n").unwrap_err().to_string();
    assert_eq!(error, r#"option "n" in the store URL needs a whole number"#);
    assert!(options.take_switch("shared").is_err());
    assert!(options.take_param("m").is_err());
    options.finish().unwrap();
}
