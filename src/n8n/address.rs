//! Which addresses are connected to. The check is made on the address itself, after DNS, so a name that leads to
//! the metadata service of a cloud, now or after a second lookup, gets nowhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

/// Addresses of metadata services and similar that lie outside the link-local ranges.
const METADATA_V4: &[Ipv4Addr] = &[
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba Cloud
    Ipv4Addr::new(168, 63, 129, 16),   // Azure's wire server
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle Cloud
];

/// What may be connected to. Private ranges may, since most instances are there.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddressPolicy {
    pub(super) allow_loopback: bool,
}

/// A host that leads to no allowed address.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the address {0} is not allowed")]
pub(super) struct Denied(pub(super) IpAddr);

impl AddressPolicy {
    /// Whether this address may be connected to.
    pub(super) fn allows(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.allows_v4(v4),
            IpAddr::V6(v6) => match embedded_v4(v6) {
                Some(v4) => self.allows_v4(v4),
                None => self.allows_v6(v6),
            },
        }
    }

    /// Checks a URL whose host is a literal address; the resolver is not asked for those.
    pub(super) fn check_literal(self, url: &Url) -> Result<(), Denied> {
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
        let denied = v4.octets()[0] == 0 || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() || METADATA_V4.contains(&v4);
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
            // fd00:ec2::/32 is Amazon's: fd00:ec2::254 serves metadata. fd20:ce::254 is Google's.
            || segments[..2] == [0xfd00, 0x0ec2]
            || v6 == Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254);
        !denied
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, NAT64 and 6to4.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = v6.segments();
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] => v4(high, low),
        // `::` and `::1` are not IPv4-compatible addresses.
        [0, 0, 0, 0, 0, 0, high, low] if (high, low) != (0, 0) && (high, low) != (0, 1) => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        // Local-use NAT64 prefixes of 96 bits (RFC 8215).
        [0x64, 0xff9b, 1, _, _, _, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        _ => None,
    }
}

/// The system's resolver, whose answers are filtered by the policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckedResolver(pub(super) AddressPolicy);

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
    fn addresses_are_judged_as_the_table_says() {
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
