//! Which URLs may be called: every spelling of a denied address, and that a name is no way round.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use raincheck_core::egress::{BadTarget, Denied, Host, Place, Rules, Target, is_public};

/// Spellings of addresses that must never be called, from the collections of those who look for
/// such holes: loopback, private networks, metadata services, wrapped and odd forms.
const DENIED: [&str; 82] = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.255.255.254/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0X7F000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://0177.0.0.01/",
    "http://00000177.0.0.1/",
    "http://127.0.0.1./",
    "http://127.0.0.0x1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://0.1.2.3/",
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://012.0.0.1/",
    "http://167772161/",
    "http://100.64.0.1/",
    "http://100.127.255.255/",
    "http://169.254.169.254/",
    "http://169.254.169.254./latest/meta-data/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0xA9.0xFE.0xA9.0xFE/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.0.0.8/",
    "http://192.0.2.1/",
    "http://192.88.99.1/",
    "http://192.168.0.1/",
    "http://192.168.257/",
    "http://198.18.0.1/",
    "http://198.19.255.255/",
    "http://198.51.100.7/",
    "http://203.0.113.7/",
    "http://168.63.129.16/",
    "http://224.0.0.1/",
    "http://239.255.255.255/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[::]/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]/",
    "http://[::127.0.0.1]/",
    "http://[::7f00:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::10.0.0.1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "http://[2001:db8::1]/",
    "http://[2001:10::1]/",
    "http://[3fff::1]/",
    "http://[100::1]/",
    "http://[5f00::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://１２７.０.０.１/",
    "http://127。0。0。1/",
    "http://%31%32%37.0.0.1/",
    "http://hooks.example.com@127.0.0.1/",
    "http://127.0.0.1\\@hooks.example.com/",
    "http://hooks.example.com#@127.0.0.1/",
];

const PUBLIC: [&str; 12] = [
    "https://1.1.1.1/",
    "https://8.8.8.8:8443/x?y=z",
    "http://100.63.255.255/",
    "http://100.128.0.1/",
    "http://172.15.0.1/",
    "http://172.32.0.1/",
    "http://198.17.255.255/",
    "http://223.255.255.255/",
    "https://[2606:4700:4700::1111]/",
    "https://[2a00:1450:4001:81b::200e]:65535/a",
    "https://[::ffff:8.8.8.8]/",
    "https://[2001:4860:4860::8888]/",
];

fn checked(url: &str, rules: &Rules) -> Result<Target, String> {
    let target = Target::parse(url).map_err(|error| error.to_string())?;
    rules.check(&target).map_err(|error| error.to_string())?;
    Ok(target)
}

fn places(texts: &[&str]) -> Vec<Place> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn no_spelling_of_a_denied_address_is_called() {
    let rules = Rules::default();
    for url in DENIED {
        assert!(checked(url, &rules).is_err(), "{url}");
    }
    for url in PUBLIC {
        assert!(checked(url, &rules).is_ok(), "{url}");
    }
}

/// What a resolver may make of a name is looked at in the same way.
#[test]
fn a_name_is_no_way_round() {
    let rules = Rules::default();
    let mut addresses = 0;
    for url in DENIED {
        let Ok(Target {
            host: Host::Address(address),
            ..
        }) = Target::parse(url)
        else {
            continue;
        };
        addresses += 1;
        let name = Host::Name("hooks.example.com".to_owned());
        assert!(!rules.allows(&name, address), "{url}");
    }
    assert!(addresses >= 40, "{addresses}");
}

#[test]
fn what_is_allowed_wins_over_what_is_denied() {
    let rules = Rules {
        allow: places(&[
            "10.1.0.0/16",
            "127.0.0.1",
            "*.svc.cluster.local",
            "hooks.local",
        ]),
        deny: places(&["8.8.8.0/24", "10.1.2.0/24", "*.example.com"]),
        ..Rules::default()
    };
    for fine in [
        "http://10.1.0.1/",
        "http://10.1.2.3/",
        "http://127.0.0.1:8080/",
        "http://[::ffff:127.0.0.1]:8080/",
        "http://a.svc.cluster.local/",
        "http://1.1.1.1/",
        "http://example.com/",
    ] {
        assert!(checked(fine, &rules).is_ok(), "{fine}");
    }
    for bad in [
        "http://10.2.0.1/",
        "http://127.0.0.2/",
        "http://8.8.8.8/",
        "http://a.example.com/",
        "http://A.B.EXAMPLE.com./",
    ] {
        assert!(checked(bad, &rules).is_err(), "{bad}");
    }
    let private: IpAddr = "192.168.1.1".parse().unwrap();
    let name = |name: &str| Target::parse(&format!("http://{name}/")).unwrap().host;
    assert!(rules.allows(&name("a.svc.cluster.local"), private));
    assert!(rules.allows(&name("HOOKS.local."), private));
    assert!(!rules.allows(&name("svc.cluster.local"), private));
    assert!(!rules.allows(&name("xhooks.local"), private));
    assert!(!rules.allows(&name("evil-svc.cluster.local"), private));
    let public: IpAddr = "1.1.1.1".parse().unwrap();
    assert!(!rules.allows(&name("a.example.com"), public));
    assert!(rules.allows(&name("example.org"), public));
}

#[test]
fn a_network_of_wrapped_addresses_may_be_allowed_and_what_is_wrapped_still_counts() {
    let rules = Rules {
        allow: places(&["64:ff9b::/96"]),
        ..Rules::default()
    };
    assert!(checked("http://[64:ff9b::8.8.8.8]/", &rules).is_ok());
    assert!(checked("http://[64:ff9b::10.0.0.1]/", &rules).is_err());
    assert!(checked("http://[64:ff9b::7f00:1]/", &rules).is_err());
}

#[test]
fn everything_can_be_denied_but_what_is_allowed() {
    let rules = Rules {
        allow: places(&["hooks.example.com", "1.1.1.0/24"]),
        deny: places(&["0.0.0.0/0", "::/0"]),
        ..Rules::default()
    };
    assert!(checked("https://1.1.1.1/", &rules).is_ok());
    assert!(checked("https://8.8.8.8/", &rules).is_err());
    let name = |name: &str| Host::Name(name.to_owned());
    assert!(rules.allows(&name("hooks.example.com"), "8.8.8.8".parse().unwrap()));
    assert!(!rules.allows(&name("example.com"), "8.8.8.8".parse().unwrap()));
}

#[test]
fn ports_and_schemes_are_looked_at() {
    let rules = Rules::default();
    for port in [80, 443, 1024, 8080, 65535] {
        assert!(checked(&format!("http://1.1.1.1:{port}/"), &rules).is_ok());
    }
    for port in [1, 22, 25, 79, 81, 442, 444, 1023] {
        let target = Target::parse(&format!("http://1.1.1.1:{port}/")).unwrap();
        assert_eq!(rules.check(&target), Err(Denied::Port(port)));
    }
    let strict = Rules {
        https_only: true,
        ..rules
    };
    let plain = Target::parse("http://example.com/").unwrap();
    assert_eq!(strict.check(&plain), Err(Denied::Scheme));
    assert!(checked("https://example.com/", &strict).is_ok());
}

#[test]
fn what_is_no_url_says_why() {
    use BadTarget as Bad;
    let long = format!("https://example.com/{}", "a".repeat(2048));
    let label = format!("https://{}.com/", "a".repeat(64));
    let cases = [
        ("", Bad::Form),
        ("hooks.example.com", Bad::Form),
        ("/path", Bad::Form),
        ("//example.com/", Bad::Form),
        ("https://", Bad::Form),
        ("https:///path", Bad::Form),
        ("ftp://example.com/", Bad::Scheme),
        ("file://example.com/etc/passwd", Bad::Scheme),
        ("gopher://example.com/", Bad::Scheme),
        ("javascript:alert(1)", Bad::Form),
        ("https://exa mple.com/", Bad::Character),
        ("https://example.com/\r\nX: y", Bad::Character),
        ("https://exämple.com/", Bad::Character),
        ("https://example.com/ä", Bad::Character),
        ("https://example.com\\x", Bad::Character),
        ("https://u:p@example.com/", Bad::Credentials),
        ("https://@example.com/", Bad::Credentials),
        ("https://example.com/#x", Bad::Fragment),
        ("https://example.com:0/", Bad::Port),
        ("https://example.com:/", Bad::Port),
        ("https://example..com/", Bad::Host),
        ("https://1.2.3/", Bad::Host),
        ("https://1.2.3.4.5/", Bad::Host),
        ("https://256.0.0.1/", Bad::Host),
        (long.as_str(), Bad::Long),
        (label.as_str(), Bad::Host),
    ];
    for (text, expected) in cases {
        let found = Target::parse(text).unwrap_err();
        // The crate that reads the URL may refuse what would be refused here for another reason.
        let same = found == expected || (found == Bad::Form && expected != Bad::Character);
        assert!(same, "{text}: {found}");
    }
}

#[test]
fn what_is_shown_has_no_query() {
    let target = Target::parse("https://Example.com:8443/a/b?token=secret").unwrap();
    assert_eq!(target.shown(), "https://Example.com:8443/a/b?…");
    assert_eq!(target.authority(), "example.com:8443");
    let other = Target::parse("http://example.com:8443/c").unwrap();
    assert_eq!(target.receiver(), other.receiver());
    let third = Target::parse("https://example.com/a/b").unwrap();
    assert_ne!(target.receiver(), third.receiver());
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in ".{0,60}", host in "[0-9a-fxX.:%\\[\\]@-]{0,30}") {
        _ = Target::parse(&text);
        _ = Target::parse(&format!("http://{host}/"));
        _ = text.parse::<Place>();
    }

    /// Whatever is wrapped in an address of version 6 is as little called as if it were bare.
    #[test]
    fn no_wrapping_makes_a_private_address_public(
        bits: u32, low: u64, prefix in proptest::sample::select(vec![
            0xffff_u128 << 32, 0, 0x0064_ff9b_u128 << 96, 0x0064_ff9b_0001_u128 << 80,
        ]),
    ) {
        let private = !is_public(IpAddr::V4(Ipv4Addr::from_bits(bits)));
        let wrapped = Ipv6Addr::from_bits(prefix | u128::from(bits));
        prop_assert!(!private || !is_public(IpAddr::V6(wrapped)));
        let sixtofour = Ipv6Addr::from_bits(0x2002_u128 << 112 | u128::from(bits) << 80 | u128::from(low));
        prop_assert!(!is_public(IpAddr::V6(sixtofour)));
    }
}
