/** Everything `corbel host check` tells. */
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { hostCgroupFiles } from '../fair-use/cgroup.ts';
import { branchHints, nodeVersion, webAssemblyFacts } from './engine.ts';
import type { Fact, HostReader, KvmOpening } from './fact.ts';
import { limits, memory, processors } from './memory.ts';
import { iommu, kvm, nested, processorVirtualisation, sev, sriov, tdx } from './virtualisation.ts';

/** KVM_GET_API_VERSION, _IO(0xAE, 0). Source: linux/kvm.h. */
const getApiVersion = 0xae00n;

type Ioctl = (descriptor: number, request: bigint, argument: bigint) => number;

/** ioctl(2), where this Node has a foreign function interface. */
async function loadIoctl(): Promise<Ioctl | undefined> {
  try {
    const { dlopen } = await import('node:ffi');
    return dlopen(null, { ioctl: { arguments: ['int32', 'uint64', 'uint64'], return: 'int32' } }).functions.ioctl;
  } catch {
    return undefined;
  }
}

function openKvm(ioctl: Ioctl | undefined): KvmOpening {
  let descriptor: number;
  try {
    descriptor = openSync('/dev/kvm', 'r+');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? { kind: 'missing' } : { kind: 'refused', reason: code ?? 'no reason given' };
  }
  try {
    return ioctl === undefined ? { kind: 'open' } : { kind: 'open', apiVersion: ioctl(descriptor, getApiVersion, 0n) };
  } finally {
    closeSync(descriptor);
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

export async function gatherHostFacts(): Promise<Fact[]> {
  const ioctl = await loadIoctl();
  const reader: HostReader = {
    text: (path) => attempt(() => readFileSync(path, 'utf8')),
    names: (path) => attempt(() => readdirSync(path)) ?? [],
    architecture: process.arch,
    openKvm: () => openKvm(ioctl),
  };
  const virtualisation = [kvm, processorVirtualisation, nested, iommu, sriov, sev, tdx].map((tell) => tell(reader));
  return [
    ...virtualisation,
    nodeVersion(),
    ...webAssemblyFacts(),
    branchHints(),
    processors(),
    limits(hostCgroupFiles),
    memory(process.availableMemory()),
  ];
}
