//! `loadgen kubernetes`: prints the manifests of a run whose stripes are pods.

use super::{print, warn};
use crate::report::kubernetes::{Deployment, manifests};

pub fn kubernetes(deployment: &Deployment) -> anyhow::Result<u8> {
    for remark in &deployment.remarks {
        warn(remark);
    }
    print(&manifests(deployment))
}
