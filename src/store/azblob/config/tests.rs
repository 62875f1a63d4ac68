use super::*;

const KEY: &str = "Y2FuYXJ5";

fn around() -> Surroundings {
    Surroundings::default()
}

fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text.to_owned()))
}

fn with_connection(text: &str) -> Surroundings {
    Surroundings {
        connection_string: secret(text),
        ..around()
    }
}

fn read_in(text: &str, around: &Surroundings) -> Result<Config, String> {
    let url = StoreUrl::parse(text).map_err(|error| error.to_string())?;
    Config::from_url(&url, around).map_err(|error| error.to_string())
}

fn read(text: &str) -> Result<Config, String> {
    read_in(text, &around())
}

#[test]
fn a_url_names_a_container() {
    let config =
        read("azblob://opsleases/leases/team/a?poll=5s&restart-guard=1m&create=no").unwrap();
    assert_eq!(
        config.place.endpoint,
        "https://opsleases.blob.core.windows.net"
    );
    assert_eq!(config.place.account, "opsleases");
    assert_eq!(config.place.container, "leases");
    assert_eq!(config.place.prefix, "team/a/");
    assert_eq!(config.poll, Some(Duration::from_secs(5)));
    assert_eq!(config.guard, RestartGuard::Fixed(Duration::from_secs(60)));
    assert!(!config.create);
    assert_eq!(config.label().as_str(), "azblob://opsleases/leases/team/a");
    assert!(matches!(config.sign_in, SignIn::Token(TokenFrom::Auto)));
}

#[test]
fn a_sovereign_cloud_or_a_proxy_is_named_by_its_whole_host() {
    let config = read("azblob://ops.blob.core.chinacloudapi.cn/leases").unwrap();
    assert_eq!(
        config.place.endpoint,
        "https://ops.blob.core.chinacloudapi.cn"
    );
    assert_eq!(config.place.account, "ops");
    let config = read("azblob+https://10.0.0.7:10000/ops/leases?ca=/ca.pem").unwrap();
    assert_eq!(config.place.endpoint, "https://10.0.0.7:10000/ops");
    assert_eq!(config.ca, Some("/ca.pem".into()));
}

#[test]
fn an_azurite_needs_no_key_and_only_loopback_may_be_plain() {
    let config = read("azblob+http://127.0.0.1:10000/devstoreaccount1/leases").unwrap();
    assert_eq!(
        config.place.endpoint,
        "http://127.0.0.1:10000/devstoreaccount1"
    );
    assert!(matches!(config.sign_in, SignIn::Key(_)));
    assert_eq!(
        config.label().as_str(),
        "azblob+http://127.0.0.1:10000/devstoreaccount1/leases"
    );
    assert!(read("azblob+http://[::1]:1/devstoreaccount1/leases").is_ok());
    let error = read("azblob+http://azurite:10000/devstoreaccount1/leases").unwrap_err();
    assert!(error.contains("plain-http=yes"), "{error}");
    let told = read(&format!(
        "azblob+http://azurite:10000/devstoreaccount1/leases?plain-http=yes&key={KEY}"
    ));
    assert!(told.is_ok());
    // No key is known for another machine, and a token is not sent in the open.
    let told = read("azblob+http://azurite:10000/devstoreaccount1/leases?plain-http=yes");
    assert!(told.unwrap_err().contains("token"));
}

#[test]
fn what_is_nearer_signs_in() {
    let all = Surroundings {
        connection_string: secret(&format!("AccountName=ops;AccountKey={KEY}")),
        key: secret("b3RoZXI="),
        sas: secret("?sv=1&sig=other"),
    };
    let sas = |config: Config| match config.sign_in {
        SignIn::Sas(sas) => sas.expose().to_owned(),
        other => panic!("{other:?}"),
    };
    let key = |config: Config| match config.sign_in {
        SignIn::Key(key) => String::from_utf8(key.0).unwrap(),
        other => panic!("{other:?}"),
    };
    let url = read_in("azblob://ops/leases?sv=2022&sig=a%2Bb%3D", &all);
    assert_eq!(sas(url.unwrap()), "sv=2022&sig=a%2Bb%3D");
    assert_eq!(key(read_in("azblob://ops/leases", &all).unwrap()), "canary");
    assert_eq!(
        sas(read_in("azblob://ops/leases?auth=sas", &all).unwrap()),
        "sv=1&sig=other"
    );
    let only_key = Surroundings {
        connection_string: None,
        sas: None,
        ..all.clone()
    };
    assert_eq!(
        key(read_in("azblob://ops/leases", &only_key).unwrap()),
        "other"
    );
    let kept_elsewhere = StoreUrl::parse("azblob://ops/leases").unwrap();
    let kept_elsewhere = kept_elsewhere.with_password(Secret::new("b25l".to_owned()));
    let config = Config::from_url(&kept_elsewhere.unwrap(), &all).unwrap();
    assert_eq!(key(config), "one");
    let cli = read_in("azblob://ops/leases?auth=cli", &all).unwrap();
    assert!(matches!(cli.sign_in, SignIn::Token(TokenFrom::Cli)));
    let managed = read("azblob://ops/leases?auth=managed-identity:abc").unwrap();
    let SignIn::Token(TokenFrom::ManagedIdentity(Some(id))) = managed.sign_in else {
        panic!("{:?}", managed.sign_in);
    };
    assert_eq!(id, "abc");
}

#[test]
fn a_connection_string_says_where_and_must_not_contradict() {
    let text = format!(
        "DefaultEndpointsProtocol=https;AccountName=ops;AccountKey={KEY};EndpointSuffix=core.usgovcloudapi.net"
    );
    let config = read_in("azblob://ops/leases", &with_connection(&text)).unwrap();
    assert_eq!(
        config.place.endpoint,
        "https://ops.blob.core.usgovcloudapi.net"
    );
    let error = read_in("azblob://other/leases", &with_connection(&text)).unwrap_err();
    assert!(error.contains("another"), "{error}");
    assert!(!error.contains(KEY), "{error}");
    let local = with_connection("UseDevelopmentStorage=true");
    let config = read_in("azblob://devstoreaccount1/leases", &local).unwrap();
    assert_eq!(
        config.place.endpoint,
        "http://127.0.0.1:10000/devstoreaccount1"
    );
    assert!(read_in("azblob://ops/leases", &with_connection("canary")).is_err());
}

#[test]
fn secrets_are_not_shown() {
    let all = Surroundings {
        connection_string: secret(&format!("AccountName=ops;AccountKey={KEY}")),
        key: secret(KEY),
        sas: secret("sig=canary"),
    };
    for text in ["azblob://ops/leases", "azblob://ops/leases?auth=sas"] {
        let shown = format!("{:?} {:?}", all, read_in(text, &all).unwrap());
        assert!(!shown.contains("canary") && !shown.contains(KEY), "{shown}");
        // The bytes of "canary", as a list of numbers.
        assert!(!shown.contains("99, 97"), "{shown}");
    }
}

#[test]
fn what_means_nothing_is_refused_and_not_repeated() {
    for text in [
        "azblob:",
        "azblob://",
        "azblob://ops",
        "azblob://ops/",
        "azblob://ops/ab",
        "azblob://ops/$root",
        "azblob://ops/Leases",
        "azblob://ops/a--b",
        "azblob://ops/leases//a",
        "azblob://ops/leases/a/../b",
        "azblob://ops/leases/a.",
        "azblob://ops/leases/a b",
        "azblob://OPS/leases",
        "azblob://ops-secondary/leases",
        "azblob://ops-secondary.blob.core.windows.net/leases",
        "azblob://u:canary@ops/leases",
        "azblob://ops/leases?auth=canary",
        "azblob://ops/leases?auth=key",
        "azblob://ops/leases?auth=sas",
        "azblob://ops/leases?auth=cli&key=canary",
        "azblob://ops/leases?key=ca~nary",
        "azblob://ops/leases?sv=1&sp=canary",
        "azblob://ops/leases?poll=3",
        "azblob://ops/leases?poll=1ms",
        "azblob://ops/leases?restart-guard=9d",
        "azblob://ops/leases?create=maybe",
        "azblob://ops/leases?ca=relative",
        "azblob+http://127.0.0.1/devstoreaccount1/leases?ca=/a",
        "azblob+http://127.0.0.1/devstoreaccount1/leases?auth=cli",
        "azblob+http://127.0.0.1/devstoreaccount1",
    ] {
        let error = read(text).unwrap_err();
        assert!(!error.contains("canary"), "{text}: {error}");
    }
    let error = read("azblob://ops/leases?restart-gard=1s").unwrap_err();
    assert!(
        error.ends_with(r#"did you mean "restart-guard"?"#),
        "{error}"
    );
}
