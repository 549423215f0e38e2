//! Networks, and which of them an address is in.

use std::net::IpAddr;
use std::str::FromStr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use ipnet::IpNet;

use super::section::Section;

/// Leading bits of an IPv4 address in the form that both kinds share.
const V4_BITS: u8 = 96;

/// An address range: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Network {
    first: u128,
    bits: u8,
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text
                .parse()
                .map_err(|_| "this is no IP address, and no network of them")?,
        };
        if network.addr() != network.network() {
            return Err("the address has bits behind the prefix length");
        }
        let lead = if network.addr().is_ipv4() { V4_BITS } else { 0 };
        Ok(Self::of(network.addr(), lead + network.prefix_len()))
    }
}

impl Network {
    fn of(address: IpAddr, bits: u8) -> Self {
        let mask = u128::MAX.checked_shl(u32::from(128 - bits)).unwrap_or(0);
        Self {
            first: number(address) & mask,
            bits,
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Sections by network: one look for each prefix length that is in use.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Networks {
    sections: HashMap<Network, Section, FixedState>,
    prefixes: Vec<u8>,
}

impl Networks {
    pub(super) fn section_of(&mut self, network: Network) -> &mut Section {
        if !self.prefixes.contains(&network.bits) {
            self.prefixes.push(network.bits);
        }
        self.sections.entry(network).or_default()
    }

    pub(super) fn around(&self, address: IpAddr) -> impl Iterator<Item = &Section> + '_ {
        self.prefixes
            .iter()
            .filter_map(move |bits| self.sections.get(&Network::of(address, *bits)))
    }
}
