//! Which addresses a delivery may be sent to.
//!
//! A pure decision about one address. Whoever connects asks it for the address that is really
//! connected to, after resolution, so that a name cannot change its mind in between.
//!
//! By default everything is refused that is not globally routable. IPv6 forms that carry an IPv4
//! address are judged by the address they carry.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// In the deny list of this instance.
    Denied,
    /// A service that hands out credentials of the machine.
    Metadata,
    /// The machine itself.
    Loopback,
    /// A private network.
    Private,
    /// The local link.
    LinkLocal,
    /// A private network of IPv6.
    UniqueLocal,
    /// Behind a carrier's address translation.
    SharedAddressSpace,
    /// A group of machines.
    Multicast,
    /// Every machine of the local network.
    Broadcast,
    /// Set aside for examples.
    Documentation,
    /// Set aside for measuring networks.
    Benchmarking,
    /// No address: "this host" or "this network".
    Unspecified,
    /// Set aside by the standards, or not handed out.
    Reserved,
}

impl Reason {
    /// How a person reads it, as in "the address is ...".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "in the deny list",
            Self::Metadata => "a metadata service",
            Self::Loopback => "a loopback address",
            Self::Private => "in a private network",
            Self::LinkLocal => "link-local",
            Self::UniqueLocal => "unique local",
            Self::SharedAddressSpace => "in shared address space",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "a broadcast address",
            Self::Documentation => "set aside for documentation",
            Self::Benchmarking => "set aside for benchmarking",
            Self::Unspecified => "unspecified",
            Self::Reserved => "reserved",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(head: [u16; 4], tail: [u16; 4], prefix: u8) -> Ipv6Net {
    let address = Ipv6Addr::new(
        head[0], head[1], head[2], head[3], tail[0], tail[1], tail[2], tail[3],
    );
    Ipv6Net::new_assert(address, prefix)
}

/// Refused ranges of IPv4; the first that holds an address names the reason.
const REFUSED_V4: [(Ipv4Net, Reason); 21] = [
    (v4(169, 254, 169, 254, 32), Reason::Metadata),
    (v4(169, 254, 170, 2, 32), Reason::Metadata),
    (v4(100, 100, 100, 200, 32), Reason::Metadata),
    (v4(168, 63, 129, 16, 32), Reason::Metadata),
    (v4(192, 0, 0, 192, 32), Reason::Metadata),
    (v4(0, 0, 0, 0, 8), Reason::Unspecified),
    (v4(10, 0, 0, 0, 8), Reason::Private),
    (v4(100, 64, 0, 0, 10), Reason::SharedAddressSpace),
    (v4(127, 0, 0, 0, 8), Reason::Loopback),
    (v4(169, 254, 0, 0, 16), Reason::LinkLocal),
    (v4(172, 16, 0, 0, 12), Reason::Private),
    (v4(192, 0, 0, 0, 24), Reason::Reserved),
    (v4(192, 0, 2, 0, 24), Reason::Documentation),
    (v4(192, 88, 99, 0, 24), Reason::Reserved),
    (v4(192, 168, 0, 0, 16), Reason::Private),
    (v4(198, 18, 0, 0, 15), Reason::Benchmarking),
    (v4(198, 51, 100, 0, 24), Reason::Documentation),
    (v4(203, 0, 113, 0, 24), Reason::Documentation),
    (v4(224, 0, 0, 0, 4), Reason::Multicast),
    (v4(255, 255, 255, 255, 32), Reason::Broadcast),
    (v4(240, 0, 0, 0, 4), Reason::Reserved),
];

const ZERO: [u16; 4] = [0; 4];

/// Refused ranges of IPv6; the first that holds an address names the reason.
const REFUSED_V6: [(Ipv6Net, Reason); 15] = [
    (
        v6([0xfd00, 0x0ec2, 0, 0], [0, 0, 0, 0x254], 128),
        Reason::Metadata,
    ),
    (
        v6([0xfd20, 0x00ce, 0, 0], [0, 0, 0, 0x254], 128),
        Reason::Metadata,
    ),
    (v6(ZERO, [0, 0, 0, 1], 128), Reason::Loopback),
    (v6(ZERO, ZERO, 128), Reason::Unspecified),
    (v6([0xfc00, 0, 0, 0], ZERO, 7), Reason::UniqueLocal),
    (v6([0xfe80, 0, 0, 0], ZERO, 10), Reason::LinkLocal),
    (v6([0xff00, 0, 0, 0], ZERO, 8), Reason::Multicast),
    (v6([0x2001, 0x0db8, 0, 0], ZERO, 32), Reason::Documentation),
    (v6([0x3fff, 0, 0, 0], ZERO, 20), Reason::Documentation),
    (v6([0x2001, 0x0002, 0, 0], ZERO, 48), Reason::Benchmarking),
    // Protocol assignments of the standards body.
    (v6([0x2001, 0, 0, 0], ZERO, 23), Reason::Reserved),
    // What lies outside of 2000::/3 is not handed out for global use.
    (v6(ZERO, ZERO, 3), Reason::Reserved),
    (v6([0x4000, 0, 0, 0], ZERO, 3), Reason::Reserved),
    (v6([0x6000, 0, 0, 0], ZERO, 3), Reason::Reserved),
    (v6([0x8000, 0, 0, 0], ZERO, 1), Reason::Reserved),
];

/// What one instance allows and denies on top of the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Opened ranges. An entry opens a range that is refused by default only when it lies inside
    /// that range: `10.1.0.0/16` opens a part of the private network, `0.0.0.0/0` opens nothing,
    /// and a metadata service must be named by its own address.
    pub allow: Vec<IpNet>,
    /// Ranges refused in any case; stronger than `allow`.
    pub deny: Vec<IpNet>,
}

impl AddressPolicy {
    /// The reason why `address` is refused, or `None` when a delivery may be sent to it.
    pub fn is_refused(&self, address: IpAddr) -> Option<Reason> {
        let embedded = match address {
            IpAddr::V4(_) => [None, None],
            IpAddr::V6(address) => embedded(address),
        };
        let carried = embedded.into_iter().flatten();
        let mut forms = std::iter::once(address).chain(carried.clone().map(IpAddr::V4));
        if forms.any(|form| self.deny.iter().any(|net| net.contains(&form))) {
            return Some(Reason::Denied);
        }
        match address {
            IpAddr::V4(address) => self.judge_v4(address),
            IpAddr::V6(_) if embedded[0].is_some() => {
                carried.into_iter().find_map(|inner| self.judge_v4(inner))
            }
            IpAddr::V6(address) => self.judge_v6(address),
        }
    }

    fn judge_v4(&self, address: Ipv4Addr) -> Option<Reason> {
        let (net, reason) = REFUSED_V4.iter().find(|(net, _)| net.contains(&address))?;
        (!self.opens(IpAddr::V4(address), IpNet::V4(*net))).then_some(*reason)
    }

    fn judge_v6(&self, address: Ipv6Addr) -> Option<Reason> {
        let (net, reason) = REFUSED_V6.iter().find(|(net, _)| net.contains(&address))?;
        (!self.opens(IpAddr::V6(address), IpNet::V6(*net))).then_some(*reason)
    }

    fn opens(&self, address: IpAddr, refused: IpNet) -> bool {
        self.allow
            .iter()
            .any(|net| net.contains(&address) && refused.contains(net))
    }
}

/// Whether `net` in the allow list would open anything that is refused by default.
///
/// False for ranges wider than the refused one, such as `0.0.0.0/0`, and for public ranges; worth a
/// warning to the operator who wrote it.
pub fn opens_something(net: IpNet) -> bool {
    match net {
        IpNet::V4(net) => REFUSED_V4.iter().any(|(refused, _)| refused.contains(&net)),
        IpNet::V6(net) => REFUSED_V6.iter().any(|(refused, _)| refused.contains(&net)),
    }
}

/// The IPv4 addresses that an IPv6 address carries: none, one, or for Teredo two.
fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let parts = address.segments();
    let (low_high, low_low) = (parts[6], parts[7]);
    let join = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match [parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]] {
        // "Unspecified" and loopback look like carried addresses but are their own thing.
        [0, 0, 0, 0, 0, 0] if low_high == 0 && low_low <= 1 => [None, None],
        // Compatible, mapped, translated, NAT64.
        [0, 0, 0, 0, 0, 0 | 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x0064, 0xff9b, 0, 0, 0, 0] => {
            [join(low_high, low_low), None]
        }
        // 6to4.
        [0x2002, high, low, ..] => [join(high, low), None],
        // Teredo: the server in clear, the client with its bits turned.
        [0x2001, 0, high, low, ..] => [join(high, low), join(!low_high, !low_low)],
        _ => [None, None],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(policy: &AddressPolicy, address: &str) -> Option<Reason> {
        policy.is_refused(address.parse().expect("an address"))
    }

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().expect("a range")).collect()
    }

    #[test]
    fn everything_that_is_not_globally_routable_is_refused() {
        let policy = AddressPolicy::default();
        for (address, reason) in [
            ("0.0.0.0", Reason::Unspecified),
            ("10.255.255.255", Reason::Private),
            ("100.64.0.1", Reason::SharedAddressSpace),
            ("100.100.100.200", Reason::Metadata),
            ("127.0.0.1", Reason::Loopback),
            ("127.255.255.254", Reason::Loopback),
            ("168.63.129.16", Reason::Metadata),
            ("169.254.0.1", Reason::LinkLocal),
            ("169.254.169.254", Reason::Metadata),
            ("172.31.255.255", Reason::Private),
            ("192.0.0.8", Reason::Reserved),
            ("192.0.2.1", Reason::Documentation),
            ("192.168.1.1", Reason::Private),
            ("198.19.0.1", Reason::Benchmarking),
            ("198.51.100.7", Reason::Documentation),
            ("203.0.113.9", Reason::Documentation),
            ("224.0.0.1", Reason::Multicast),
            ("240.0.0.1", Reason::Reserved),
            ("255.255.255.255", Reason::Broadcast),
            ("::", Reason::Unspecified),
            ("::1", Reason::Loopback),
            ("fc00::1", Reason::UniqueLocal),
            ("fd00:ec2::254", Reason::Metadata),
            ("fe80::1", Reason::LinkLocal),
            ("fec0::1", Reason::Reserved),
            ("ff02::1", Reason::Multicast),
            ("2001:db8::1", Reason::Documentation),
            ("3fff:0123::1", Reason::Documentation),
            ("2001:2::1", Reason::Benchmarking),
            ("2001:20::1", Reason::Reserved),
            ("100::1", Reason::Reserved),
            ("64:ff9b:1::a00:1", Reason::Reserved),
            ("4000::1", Reason::Reserved),
        ] {
            assert_eq!(refused(&policy, address), Some(reason), "{address}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        let policy = AddressPolicy::default();
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "223.255.255.1",
            "2606:4700::1111",
            "2a00::1",
        ] {
            assert_eq!(refused(&policy, address), None, "{address}");
        }
    }

    #[test]
    fn ipv6_forms_are_judged_by_the_address_they_carry() {
        let policy = AddressPolicy::default();
        for (address, reason) in [
            ("::ffff:127.0.0.1", Some(Reason::Loopback)),
            ("::ffff:169.254.169.254", Some(Reason::Metadata)),
            ("::10.0.0.1", Some(Reason::Private)),
            ("::ffff:0:192.168.0.1", Some(Reason::Private)),
            ("64:ff9b::10.0.0.1", Some(Reason::Private)),
            ("2002:7f00:0001::", Some(Reason::Loopback)),
            // Client 192.168.0.1 with its bits turned, server 8.8.8.8.
            ("2001:0:808:808:0:0:3f57:fffe", Some(Reason::Private)),
            // Server 10.0.0.1, client 8.8.8.8.
            ("2001:0:a00:1:0:0:f7f7:f7f7", Some(Reason::Private)),
            ("::ffff:8.8.8.8", None),
            ("64:ff9b::808:808", None),
            ("2002:808:808::1", None),
        ] {
            assert_eq!(refused(&policy, address), reason, "{address}");
        }
    }

    #[test]
    fn the_allow_list_opens_named_ranges_only() {
        let policy = AddressPolicy {
            allow: nets(&["127.0.0.0/8", "10.1.0.0/16", "::1/128"]),
            deny: vec![],
        };
        for address in ["127.0.0.1", "10.1.2.3", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(refused(&policy, address), None, "{address}");
        }
        assert_eq!(refused(&policy, "10.2.0.1"), Some(Reason::Private));
        assert_eq!(refused(&policy, "192.168.0.1"), Some(Reason::Private));
    }

    #[test]
    fn an_allow_list_of_everything_opens_nothing() {
        let everything = nets(&["0.0.0.0/0", "::/0"]);
        assert!(everything.iter().all(|net| !opens_something(*net)));
        let policy = AddressPolicy {
            allow: everything,
            deny: vec![],
        };
        for address in ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "fd00::1"] {
            assert!(refused(&policy, address).is_some(), "{address}");
        }
    }

    #[test]
    fn a_metadata_service_must_be_named_itself() {
        let link_local = AddressPolicy {
            allow: nets(&["169.254.0.0/16"]),
            deny: vec![],
        };
        assert_eq!(refused(&link_local, "169.254.10.10"), None);
        assert_eq!(refused(&link_local, "169.254.169.254"), Some(Reason::Metadata));
        let named = AddressPolicy {
            allow: nets(&["169.254.169.254/32"]),
            deny: vec![],
        };
        assert_eq!(refused(&named, "169.254.169.254"), None);
    }

    #[test]
    fn the_deny_list_beats_the_allow_list_and_reaches_public_addresses() {
        let policy = AddressPolicy {
            allow: nets(&["10.0.0.0/8"]),
            deny: nets(&["10.0.0.5/32", "8.8.0.0/16"]),
        };
        assert_eq!(refused(&policy, "10.0.0.4"), None);
        for address in ["10.0.0.5", "8.8.8.8", "::ffff:8.8.8.8"] {
            assert_eq!(refused(&policy, address), Some(Reason::Denied), "{address}");
        }
    }

    proptest! {
        #[test]
        fn a_mapped_address_is_judged_like_the_plain_one(bits: u32) {
            let plain = Ipv4Addr::from(bits);
            let policy = AddressPolicy { allow: nets(&["127.0.0.0/8"]), deny: nets(&["9.0.0.0/8"]) };
            prop_assert_eq!(
                policy.is_refused(IpAddr::V4(plain)),
                policy.is_refused(IpAddr::V6(plain.to_ipv6_mapped()))
            );
        }

        #[test]
        fn private_and_loopback_never_pass_by_default(bits: u128) {
            let policy = AddressPolicy::default();
            let wide = Ipv6Addr::from(bits);
            if wide.is_loopback() || wide.is_multicast() || wide.is_unicast_link_local() || wide.is_unique_local() {
                prop_assert!(policy.is_refused(IpAddr::V6(wide)).is_some());
            }
            let narrow = Ipv4Addr::from(bits as u32);
            if narrow.is_private() || narrow.is_loopback() || narrow.is_link_local() || narrow.is_multicast() {
                prop_assert!(policy.is_refused(IpAddr::V4(narrow)).is_some());
            }
        }
    }
}
