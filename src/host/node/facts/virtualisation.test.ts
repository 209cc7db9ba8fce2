import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostReader, KvmOpening } from './fact.ts';
import { iommu, kvm, nested, processorVirtualisation, sev, sriov, tdx } from './virtualisation.ts';

/** A host that consists of these files; a folder's names are those of its files. */
function host(
  files: Record<string, string>,
  opening: KvmOpening = { kind: 'missing' },
  architecture = 'x64',
): HostReader {
  return {
    text: (path) => files[path],
    names: (path) => {
      const inside = Object.keys(files).filter((file) => file.startsWith(`${path}/`));
      return [...new Set(inside.map((file) => file.slice(path.length + 1).split('/')[0] as string))];
    },
    architecture,
    openKvm: () => opening,
  };
}

const flags = (words: string) => ({ '/proc/cpuinfo': `processor\t: 0\nflags\t\t: ${words}\nbugs\t: x\n` });

test('KVM is there when its device opens and speaks version 12', () => {
  assert.equal(kvm(host({})).state, 'no');
  assert.match(kvm(host({}, { kind: 'refused', reason: 'EACCES' })).reason, /EACCES.*group kvm/);
  assert.equal(kvm(host({}, { kind: 'open', apiVersion: 12 })).state, 'yes');
  assert.equal(kvm(host({}, { kind: 'open', apiVersion: 11 })).state, 'no');
  assert.match(kvm(host({}, { kind: 'open' })).reason, /could not be asked/);
});

test('the processor tells by its flags, and in a virtual machine the reason is the hypervisor', () => {
  assert.equal(processorVirtualisation(host(flags('fpu vmx sse'))).state, 'yes');
  assert.match(processorVirtualisation(host(flags('fpu svm'))).reason, /AMD-V/);
  assert.match(processorVirtualisation(host(flags('fpu hypervisor'))).reason, /hypervisor does not offer/);
  assert.match(processorVirtualisation(host(flags('fpu'))).reason, /firmware/);
  assert.equal(processorVirtualisation(host({})).state, 'unknown');
  assert.match(processorVirtualisation(host({}, { kind: 'missing' }, 'arm64')).reason, /arm64/);
});

test('nested virtualisation is a parameter of whichever module is loaded', () => {
  const parameter = (module: string) => `/sys/module/${module}/parameters/nested`;
  assert.equal(nested(host({ [parameter('kvm_intel')]: 'Y\n' })).state, 'yes');
  assert.equal(nested(host({ [parameter('kvm_amd')]: '1\n' })).state, 'yes');
  assert.equal(nested(host({ [parameter('kvm_amd')]: '0\n' })).state, 'no');
  assert.match(nested(host({})).reason, /neither/);
});

test('IOMMU groups and SR-IOV functions are counted', () => {
  const groups = host({ '/sys/kernel/iommu_groups/0/type': '', '/sys/kernel/iommu_groups/1/type': '' });
  assert.match(iommu(groups).reason, /^2 groups/);
  assert.equal(iommu(host({})).state, 'no');
  const card = { '/sys/class/net/ens1/device/sriov_totalvfs': '63\n', '/sys/class/net/lo/mtu': '65536\n' };
  assert.deepEqual([sriov(host(card)).state, sriov(host(card)).reason], ['yes', 'ens1 (up to 63 functions)']);
  assert.equal(sriov(host({ '/sys/class/net/ens1/device/sriov_totalvfs': '0\n' })).state, 'no');
});

test('SEV and TDX need the processor and the module', () => {
  const on = { ...flags('sev sev_es'), '/sys/module/kvm_amd/parameters/sev': 'Y\n' };
  assert.deepEqual([sev(host(on)).state, sev(host(on)).reason], ['yes', 'SEV: on in kvm_amd']);
  assert.match(sev(host(flags('sev sev_es'))).reason, /SEV, SEV-ES, but kvm_amd/);
  assert.equal(sev(host(flags('fpu'))).state, 'no');
  assert.equal(tdx(host({ '/sys/module/kvm_intel/parameters/tdx': 'Y\n' })).state, 'yes');
  assert.match(tdx(host({ '/sys/module/kvm_intel/parameters/tdx': 'N\n' })).reason, /off in kvm_intel/);
  assert.match(tdx(host(flags('tdx_guest'))).reason, /itself a TDX guest/);
});
