//! Finds what is wrong with faults, instances, and what the guest is given.

use systemd_lab_protocol::EventKind;
use systemd_lab_protocol::scenario::Preparation;

use super::{Experiment, On, PlanError, PlannedFault, When};
use systemd_timeline::Timeline;
use systemd_timeline::unit_file::template_of;

impl Experiment {
    /// Checks that the fault can happen, and that its unit is among these.
    pub(super) fn check_fault(
        &self,
        planned: &PlannedFault,
        units: &[String],
    ) -> Result<(), PlanError> {
        let fault = planned.fault.to_string();
        if let Some(at) = planned.when.time().filter(|at| *at >= self.length()) {
            return Err(PlanError::FaultAfterEnd {
                fault,
                at,
                length: self.length(),
            });
        }
        let is_there = |unit: &String| units.contains(unit) || units.contains(&template_of(unit));
        if !planned.fault.hits_unit() && planned.unit != self.main_unit() {
            return Err(PlanError::HitsNoUnit {
                fault,
                unit: planned.unit.clone(),
            });
        }
        if !is_there(&planned.unit) {
            return Err(PlanError::NoSuchUnit {
                fault,
                unit: planned.unit.clone(),
                known: units.to_vec(),
            });
        }
        match &planned.when {
            When::On(On {
                unit: Some(unit), ..
            }) if !is_there(unit) => Err(PlanError::WaitsForNoUnit {
                fault,
                unit: unit.clone(),
                known: units.to_vec(),
            }),
            _ => Ok(()),
        }
    }
}

/// Why the guest could not be given what the plan asks for.
pub(super) fn not_prepared(timeline: &Timeline) -> Option<PlanError> {
    timeline.events().iter().find_map(|event| {
        let EventKind::NotPrepared {
            preparation,
            message,
        } = &event.kind
        else {
            return None;
        };
        Some(PlanError::NotPrepared {
            what: match preparation {
                Preparation::User { name } => format!("the user {name}"),
                Preparation::Directory { path, .. } => format!("the directory {path}"),
                Preparation::Enable { unit } => format!("an enabled {unit}"),
                Preparation::Date { .. } => "the date".to_owned(),
            },
            message: message.clone(),
        })
    })
}

/// Checks that a unit is a template, and that systemd accepts the instance's name.
pub(super) fn check_instance(template: &str, instance: &str) -> Result<(), PlanError> {
    if !template.contains("@.") {
        return Err(PlanError::NoTemplate {
            unit: template.to_owned(),
            instance: instance.to_owned(),
        });
    }
    // VALID_CHARS of systemd's unit-name.c, and the @ that instances may contain.
    let is_valid = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    match !instance.is_empty() && instance.chars().all(is_valid) {
        true => Ok(()),
        false => Err(PlanError::BadInstance {
            instance: instance.to_owned(),
        }),
    }
}
