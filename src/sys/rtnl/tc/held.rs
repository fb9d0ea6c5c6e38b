//! What a device still has of what lines of traffic control made.
//!
//! Known again is what the kernel tells back as it was told: numbers, kinds and
//! places, and what a filter compares. Rates, times and actions it tells in
//! another form, which nobody can hold against a line without guessing.

use super::super::object::Object;
use super::super::replay::{RTM_GETQDISC, RTM_GETTCLASS, RTM_GETTFILTER};
use super::facts::{HANDLE, HEADER_BYTES, INDEX, INFO, PARENT, TCA_KIND, asked};
use super::filter::{self, told_back};
use super::{Rtnl, RtnlError, TCA_OPTIONS, filter_parent, handle, info, qdisc_message};
use crate::request::tc::{Filter, FilterPlace, TcObject};
use rtnetlink::packet_route::tc::TcHandle;

/// Everything at a device that a line could have made.
#[derive(Debug, Default)]
pub struct TcHeld {
    qdiscs: Vec<Object>,
    classes: Vec<Object>,
    places: Vec<Filters>,
}

/// The filters of one place.
#[derive(Debug)]
struct Filters {
    place: FilterPlace,
    /// Each with whether a line has been found to have made it.
    filters: Vec<(Object, bool)>,
}

impl Rtnl {
    /// What a device has of the kinds, and in the places, of `lines`.
    pub async fn tc_held(&self, ifindex: u32, lines: &[TcObject]) -> Result<TcHeld, RtnlError> {
        let mut held = TcHeld::default();
        let of_device = asked(ifindex, TcHandle::UNSPEC);
        for line in lines {
            match line {
                TcObject::Qdisc { .. } if held.qdiscs.is_empty() => {
                    let all = self.list(RTM_GETQDISC, &of_device, HEADER_BYTES).await?;
                    // Older kernels tell those of all devices.
                    let own = all.into_iter().filter(|one| one.number(INDEX) == ifindex);
                    held.qdiscs = own.collect();
                }
                TcObject::Class { .. } if held.classes.is_empty() => {
                    held.classes = self.list(RTM_GETTCLASS, &of_device, HEADER_BYTES).await?;
                }
                TcObject::Filter(filter) if held.at(filter.place).is_none() => {
                    let place = filter.place;
                    let asked = asked(ifindex, filter_parent(place));
                    let all = self.list(RTM_GETTFILTER, &asked, HEADER_BYTES).await?;
                    let own = all.into_iter().filter(is_filter);
                    let filters = own.map(|one| (one, false)).collect();
                    held.places.push(Filters { place, filters });
                }
                TcObject::Qdisc { .. } | TcObject::Class { .. } | TcObject::Filter(_) => {}
            }
        }
        Ok(held)
    }
}

impl TcHeld {
    fn at(&self, place: FilterPlace) -> Option<&Filters> {
        self.places.iter().find(|filters| filters.place == place)
    }

    /// Whether what a line made is there. Of equal filters each line finds its
    /// own, so this is to be asked once for each.
    pub fn find(&mut self, line: &TcObject) -> bool {
        match line {
            TcObject::Qdisc {
                parent,
                handle,
                kind,
            } => {
                let meant = qdisc_message(0, *parent, *handle, kind).header;
                let number = u32::from(meant.handle);
                self.qdiscs.iter().any(|qdisc| {
                    is(qdisc, kind.name())
                        && qdisc.number(PARENT) == u32::from(meant.parent)
                        // One of the kernel's own has no number.
                        && match number {
                            0 => qdisc.number(HANDLE) != 0,
                            number => qdisc.number(HANDLE) == number,
                        }
                })
            }
            TcObject::Class { classid, .. } => {
                let number = u32::from(handle(*classid));
                let mut classes = self.classes.iter();
                classes.any(|class| is(class, "htb") && class.number(HANDLE) == number)
            }
            TcObject::Filter(wanted) => {
                let place = wanted.place;
                let place = self.places.iter_mut().find(|held| held.place == place);
                let mut filters = place.into_iter().flat_map(|held| &mut held.filters);
                let found = filters.find(|(filter, is_found)| !is_found && matches(filter, wanted));
                found.map(|(_, is_found)| *is_found = true).is_some()
            }
        }
    }

    /// Whether a line that is told again ends up where it was. The kernel puts a
    /// filter in front of those that are there where it is to choose a priority,
    /// and behind those of its own priority; so among others it stands elsewhere.
    pub fn has_its_place_for(&self, line: &TcObject) -> bool {
        let TcObject::Filter(Filter { place, prio, .. }) = line else {
            return true;
        };
        let mut others = self.at(*place).into_iter().flat_map(|held| &held.filters);
        !others.any(|(other, _)| prio.is_none_or(|prio| prio_of(other) == prio))
    }
}

/// A priority that has no filter is told of as well, without handle, and so are
/// tables of u32, whose handle has no number of an entry (`TC_U32_NODE`).
fn is_filter(told: &Object) -> bool {
    const NODE: u32 = 0xfff;
    let handle = told.number(HANDLE);
    handle != 0 && !(is(told, "u32") && handle & NODE == 0)
}

fn is(object: &Object, kind: &str) -> bool {
    object.value_text(TCA_KIND).as_deref() == Some(kind)
}

fn prio_of(filter: &Object) -> u16 {
    (filter.number(INFO) >> 16) as u16
}

fn matches(held: &Object, wanted: &Filter) -> bool {
    let prio = wanted.prio.unwrap_or_else(|| prio_of(held));
    let is_so = is(held, filter::name(&wanted.kind))
        && held.number(INFO) == info(prio, filter::protocol(wanted.protocol));
    let options = held.value(TCA_OPTIONS);
    let options = options.and_then(|options| Object::parse(options, 0));
    is_so
        && options.is_some_and(|options| {
            let mut meant = told_back(wanted).into_iter();
            meant.all(|(kind, value)| options.value(kind) == value.as_deref())
        })
}
