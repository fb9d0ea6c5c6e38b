//! Steps for a radio: a wireless interface moves only with the radio below it,
//! and with all interfaces that the radio has (net/wireless/core.c).

use super::error::NicPlanError;
use super::handover::{does_apply, gone, is_a_nic, may_be_taken, present, traveller};
use super::step::NicStep;
use super::{PlanError, Planner, Step, suits};
use crate::host::view::{AttachmentView, RadioView};
use crate::request::Attachment;

/// What it is called.
pub(super) const KIND: &str = "a radio that is handed over";

impl Planner<'_> {
    /// The radio below a wireless interface, with all its interfaces.
    pub(super) fn wifi(
        &mut self,
        attachment: &Attachment,
        device: &impl std::fmt::Display,
        view: &AttachmentView,
    ) -> Result<(), PlanError> {
        let link = present(attachment, device, view)?;
        let origin = &attachment.uplink.origin;
        does_apply(attachment, KIND)?;
        let vlan = attachment.vlan.as_ref().map(suits::origin);
        suits::refuse_first(&[("vlan", "it is handed over as a whole", vlan)], KIND)?;
        let (Some(nic), name) = (view.nic.as_deref(), link.name.clone()) else {
            return Err(gone(attachment, device));
        };
        let Some(radio) = &nic.radio else {
            let (device, origin) = (name, origin.clone());
            return Err(NicPlanError::NotWireless { device, origin }.into());
        };
        is_a_nic(link, origin)?;
        may_be_taken(attachment, link, nic)?;
        self.not_used_before(link.ifindex, link, origin)?;
        if !nic.index_is_free {
            return Err(NicPlanError::IndexTaken {
                device: name,
                ifindex: link.ifindex,
                origin: origin.clone(),
            }
            .into());
        }
        let RadioView {
            index,
            name: radio_name,
            others,
        } = radio;
        let guest = self.guest_of(attachment, link, true);
        let claim = (self.choose)();
        self.begin_device(attachment, &guest, link, None);
        let place = self.current();
        for home in std::iter::once(&nic.home).chain(others) {
            self.take_off(place, home.clone(), claim, origin);
        }
        let others: Vec<String> = others
            .iter()
            .map(|other| other.state.name.clone())
            .collect();
        if !others.is_empty() {
            self.plan.notices.push(format!(
                "the radio {radio_name} takes {} along with {name}",
                others.join(" and ")
            ));
        }
        let step = NicStep::MoveRadio {
            traveller: traveller(&nic.home, claim),
            radio: *index,
            radio_name: radio_name.clone(),
            others,
            ifname: guest.name.clone(),
        };
        self.push(place, Step::Nic(step), origin);
        self.settings_of_device(attachment, &guest);
        self.finish_interface(attachment, None);
        Ok(())
    }
}
