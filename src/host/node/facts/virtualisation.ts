import { cpuFlags, type Fact, fact, type HostReader, moduleSwitch } from './fact.ts';

/** The only version there is. Source: Linux Documentation/virt/kvm/api.rst 4.1. */
const kvmApiVersion = 12;

export function kvm(reader: HostReader): Fact {
  const state = (yes: boolean, reason: string): Fact => fact('kvm', 'KVM', yes ? 'yes' : 'no', reason);
  const opening = reader.openKvm();
  switch (opening.kind) {
    case 'missing':
      return state(false, 'there is no /dev/kvm: the kvm module is not loaded, or there is no hardware for it');
    case 'refused':
      return state(false, `/dev/kvm cannot be opened (${opening.reason}); membership in the group kvm may be missing`);
    case 'open':
      if (opening.apiVersion === undefined) return state(true, '/dev/kvm opens; its version could not be asked for');
      return state(opening.apiVersion === kvmApiVersion, `/dev/kvm opens and speaks version ${opening.apiVersion}`);
  }
}

export function processorVirtualisation(reader: HostReader): Fact {
  const title = 'VT-x / AMD-V';
  if (reader.architecture !== 'x64') {
    return fact('processor', title, 'no', `the processor is ${reader.architecture}, not x86-64`);
  }
  const flags = cpuFlags(reader);
  if (flags.size === 0) return fact('processor', title, 'unknown', '/proc/cpuinfo does not list the processor flags');
  if (flags.has('vmx')) return fact('processor', title, 'yes', 'VT-x: the processor has the flag vmx');
  if (flags.has('svm')) return fact('processor', title, 'yes', 'AMD-V: the processor has the flag svm');
  const why = flags.has('hypervisor')
    ? 'this host is a virtual machine, and its hypervisor does not offer it'
    : 'the processor has neither vmx nor svm, or the firmware disables it';
  return fact('processor', title, 'no', why);
}

export function nested(reader: HostReader): Fact {
  const title = 'nested virtualisation';
  for (const module of ['kvm_intel', 'kvm_amd']) {
    const on = moduleSwitch(reader, module, 'nested');
    if (on === undefined) continue;
    return fact('nested', title, on ? 'yes' : 'no', `the parameter nested of ${module} is ${on ? 'on' : 'off'}`);
  }
  return fact('nested', title, 'no', 'neither kvm_intel nor kvm_amd is loaded');
}

export function iommu(reader: HostReader): Fact {
  const groups = reader.names('/sys/kernel/iommu_groups').length;
  return groups > 0
    ? fact('iommu', 'IOMMU', 'yes', `${groups} groups in /sys/kernel/iommu_groups`)
    : fact('iommu', 'IOMMU', 'no', 'no groups in /sys/kernel/iommu_groups: absent, or off in firmware or kernel');
}

export function sriov(reader: HostReader): Fact {
  const found: string[] = [];
  for (const name of reader.names('/sys/class/net')) {
    const total = Number(reader.text(`/sys/class/net/${name}/device/sriov_totalvfs`) ?? 0);
    if (total > 0) found.push(`${name} (up to ${total} functions)`);
  }
  return found.length > 0
    ? fact('sriov', 'SR-IOV', 'yes', found.join(', '))
    : fact('sriov', 'SR-IOV', 'no', 'no network device has sriov_totalvfs');
}

export function sev(reader: HostReader): Fact {
  const flags = cpuFlags(reader);
  const kinds = [
    ['sev', 'SEV'],
    ['sev_es', 'SEV-ES'],
    ['sev_snp', 'SEV-SNP'],
  ] as const;
  const has = kinds.filter(([flag]) => flags.has(flag));
  const on = has.filter(([parameter]) => moduleSwitch(reader, 'kvm_amd', parameter) === true);
  const names = (list: typeof has): string => list.map(([, name]) => name).join(', ');
  if (on.length > 0) return fact('sev', 'AMD SEV', 'yes', `${names(on)}: on in kvm_amd`);
  if (has.length === 0) return fact('sev', 'AMD SEV', 'no', 'the processor has no flag sev');
  return fact('sev', 'AMD SEV', 'no', `the processor has ${names(has)}, but kvm_amd does not use it`);
}

export function tdx(reader: HostReader): Fact {
  const title = 'Intel TDX';
  if (moduleSwitch(reader, 'kvm_intel', 'tdx') === true) return fact('tdx', title, 'yes', 'on in kvm_intel');
  if (cpuFlags(reader).has('tdx_guest')) return fact('tdx', title, 'no', 'this host is itself a TDX guest');
  const known = reader.names('/sys/module/kvm_intel/parameters').includes('tdx');
  return fact('tdx', title, 'no', known ? 'off in kvm_intel' : 'kvm_intel is not loaded, or does not know TDX');
}
