//! Allowed addresses. The check is made on the address itself, after DNS, so a name that resolves to the metadata service of a cloud, at
//! once or after a second lookup, is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

/// Addresses of metadata services and the like outside the link-local ranges.
const METADATA_V4: &[Ipv4Addr] = &[
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba Cloud
    Ipv4Addr::new(168, 63, 129, 16),   // Azure's wire server
];
/// IPv6 addresses of metadata services. fd00:ec2::/32 is Amazon's.
const METADATA_V6: &[Ipv6Addr] = &[
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254),      // Google Cloud
    Ipv6Addr::new(0xfd00, 0x00c1, 0, 0, 0, 0, 0xa9fe, 0xa9fe), // Oracle Cloud
    Ipv6Addr::new(0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x0042),      // Scaleway
];

/// Policy about allowed addresses. Private ranges are allowed, since most instances are there.
#[derive(Clone, Copy, Debug)]
pub struct AddressPolicy {
    /// Allows connections to this machine.
    pub allow_loopback: bool,
}

/// Error for a host that resolves to no allowed address.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the address {0} is not allowed")]
pub struct Denied(pub IpAddr);

impl AddressPolicy {
    /// Reports whether the policy allows connections to this address.
    pub fn allows(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.allows_v4(v4),
            IpAddr::V6(v6) => {
                let mut embedded = embedded_v4(v6).peekable();
                // `::1` and `::` embed no IPv4 address; an address that embeds one is checked only as IPv4.
                if embedded.peek().is_some() { embedded.all(|v4| self.allows_v4(v4)) } else { self.allows_v6(v6) }
            }
        }
    }

    /// Checks a URL whose host is a literal address, for which the resolver is not asked.
    pub fn check_literal(self, url: &Url) -> Result<(), Denied> {
        let address = match url.host() {
            Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
            Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        if self.allows(address) { Ok(()) } else { Err(Denied(address)) }
    }

    fn allows_v4(self, v4: Ipv4Addr) -> bool {
        if v4.is_loopback() {
            return self.allow_loopback;
        }
        // 0.0.0.0/8 is "this network"; Linux connects 0.0.0.0 to loopback.
        // 192.0.0.0/24 holds services of the network itself, such as Oracle Cloud's metadata; 192.88.99.0/24 relays to 6to4.
        let of_the_network = matches!(v4.octets(), [0, ..] | [192, 0, 0, _] | [192, 88, 99, _]);
        let denied = of_the_network || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() || METADATA_V4.contains(&v4);
        !denied
    }

    fn allows_v6(self, v6: Ipv6Addr) -> bool {
        if v6.is_loopback() {
            return self.allow_loopback;
        }
        let segments = v6.segments();
        let denied = v6.is_unspecified()
            || v6.is_unicast_link_local()
            || v6.is_multicast()
            // fec0::/10, the deprecated site-local addresses.
            || segments[0] & 0xffc0 == 0xfec0
            // Teredo: a tunnel to an embedded IPv4 address.
            || segments[..2] == [0x2001, 0]
            // 100::/64, which discards packets.
            || segments[..4] == [0x100, 0, 0, 0]
            || segments[..2] == [0xfd00, 0x0ec2]
            || METADATA_V6.contains(&v6);
        !denied
    }
}

/// Returns the IPv4 addresses that an IPv6 address may embed: mapped, translated, compatible, NAT64, 6to4 and ISATAP.
fn embedded_v4(v6: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let s = v6.segments();
    let low = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    // RFC 6052: the eight bits after the first 64 are skipped.
    let around = |bits: u32| {
        let all = u128::from(v6);
        let (before, after) = (all >> 64, all & ((1 << 56) - 1));
        Ipv4Addr::from(((((before << 56) | after) >> (88 - bits)) & 0xffff_ffff) as u32)
    };
    let found = match s {
        [0, 0, 0, 0, 0, 0xffff, high, end] | [0, 0, 0, 0, 0xffff, 0, high, end] => vec![low(high, end)],
        // `::` and `::1` are not IPv4-compatible addresses.
        [0, 0, 0, 0, 0, 0, high, end] if (high, end) != (0, 0) && (high, end) != (0, 1) => vec![low(high, end)],
        [0x64, 0xff9b, 0, 0, 0, 0, high, end] => vec![low(high, end)],
        // Local-use NAT64 (RFC 8215), whose prefix may have 48, 56, 64 or 96 bits. It never embeds 0.0.0.0/8, which appears if the prefix
        // has another length.
        [0x64, 0xff9b, 1, .., high, end] => {
            let any = [around(48), around(56), around(64), low(high, end)];
            any.into_iter().filter(|v4| v4.octets()[0] != 0).collect()
        }
        [0x2002, high, end, ..] => vec![low(high, end)],
        [.., 0 | 0x200, 0x5efe, high, end] => vec![low(high, end)],
        _ => Vec::new(),
    };
    found.into_iter()
}

/// The system's resolver, with its answers filtered by the policy.
#[derive(Clone, Copy, Debug)]
pub struct CheckedResolver(pub AddressPolicy);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0;
        Box::pin(async move {
            // Port 0 tells reqwest to use the port of the URL.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> = found.iter().copied().filter(|a| policy.allows(a.ip())).collect();
            match (allowed.is_empty(), found.first()) {
                (true, Some(denied)) => Err(Denied(denied.ip()).into()),
                (true, None) => Err("the name has no address".into()),
                (false, _) => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_allowed_as_in_the_table() {
        // (address, allowed, allowed with loopback)
        let table = [
            ("10.0.0.1", true, true),
            ("172.16.3.4", true, true),
            ("192.168.1.1", true, true),
            ("100.64.0.1", true, true),
            ("8.8.8.8", true, true),
            ("127.0.0.1", false, true),
            ("127.8.9.1", false, true),
            ("0.0.0.0", false, false),
            ("0.1.2.3", false, false),
            ("169.254.169.254", false, false),
            ("169.254.170.2", false, false),
            ("100.100.100.200", false, false),
            ("168.63.129.16", false, false),
            ("192.0.0.192", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("2001:db8::1", true, true),
            ("fd12:3456::1", true, true),
            ("::1", false, true),
            ("::", false, false),
            ("fe80::1", false, false),
            ("febf::1", false, false),
            ("ff02::1", false, false),
            ("fd00:ec2::254", false, false),
            ("fd20:ce::254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("::ffff:127.0.0.1", false, true),
            ("::ffff:10.0.0.1", true, true),
            ("::169.254.169.254", false, false),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("64:ff9b:1::a9fe:a9fe", false, false),
            ("64:ff9b::808:808", true, true),
            ("2002:a9fe:a9fe::1", false, false),
            ("::ffff:0:127.0.0.1", false, true),
            ("::ffff:0:169.254.169.254", false, false),
            ("::ffff:0:10.0.0.1", true, true),
            ("::127.0.0.1", false, true),
            ("64:ff9b::7f00:1", false, true),
            ("64:ff9b:1:a9fe:00a9:fe00::", false, false),
            ("64:ff9b:1:00a9:00fe:a9fe::", false, false),
            ("64:ff9b:1:0:00a9:fea9:fe00:0", false, false),
            ("64:ff9b:1::a00:1", true, true),
            ("2002:7f00:1::", false, true),
            ("2002:0a00:1::1", true, true),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", false, false),
            ("2001:db8::5efe:169.254.169.254", false, false),
            ("2001:db8::200:5efe:127.0.0.1", false, true),
            ("fe80::5efe:a00:1", true, true),
            ("fec0::1", false, false),
            ("feff::1", false, false),
            ("100::1", false, false),
            ("fd00:c1::a9fe:a9fe", false, false),
            ("fd00:42::42", false, false),
            ("192.0.0.170", false, false),
            ("192.88.99.1", false, false),
            ("239.1.1.1", false, false),
            ("198.18.0.1", true, true),
            ("240.0.0.1", true, true),
        ];
        for (text, strict, relaxed) in table {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(AddressPolicy { allow_loopback: false }.allows(address), strict, "{text}");
            assert_eq!(AddressPolicy { allow_loopback: true }.allows(address), relaxed, "{text} with loopback");
        }
    }

    #[test]
    fn literal_hosts_are_checked_however_they_are_written() {
        let policy = AddressPolicy { allow_loopback: false };
        for url in [
            "http://127.0.0.1:5678",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://[::ffff:7f00:1]/",
            "http://169.254.169.254/",
            "http://0251.0376.0251.0376/",
        ] {
            assert!(policy.check_literal(&Url::parse(url).unwrap()).is_err(), "{url}");
        }
        for url in ["http://10.1.2.3/", "http://n8n.team-a.svc:5678/", "https://[2001:db8::1]/n8n"] {
            assert!(policy.check_literal(&Url::parse(url).unwrap()).is_ok(), "{url}");
        }
    }
}
