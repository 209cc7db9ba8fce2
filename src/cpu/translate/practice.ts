/**
 * Translation before there is anything to translate. What a thread translates first takes ten times as long as later on: the engine has
 * not seen the translator run yet. The first loop of a guest would wait for that, and be interpreted meanwhile.
 */
import { pageSize } from '../../memory/guest-memory.ts';
import { bitmapsBytes, type TranslationJob, wishBits } from './job.ts';
import { RegionCompiler, type RegionCompilerOptions } from './region-compiler.ts';

/** Code with something of all that is common: bytes, and what they mean. */
const sample = `
  55                 push rbp
  4889e5             mov rbp,rsp
  53                 push rbx
  4154               push r12
  4883ec28           sub rsp,0x28
  4989fc             mov r12,rdi
  89f1               mov ecx,esi
  31c0               xor eax,eax
                     again:
  410fb61424         movzx edx,byte [r12]
  498d5c2401         lea rbx,[r12+1]
  89d6               mov esi,edx
  c1ea04             shr edx,4
  83e60f             and esi,0xf
  4801f0             add rax,rsi
  6bc01f             imul eax,eax,31
  83fa0f             cmp edx,0xf
  7429               je wide
  4c8b03             mov r8,[rbx]
  4c894708           mov [rdi+8],r8
  448907             mov [rdi],r8d
  6689444f10         mov [rdi+rcx*2+0x10],ax
  c645f703           mov byte [rbp-9],3
  48837d0800         cmp qword [rbp+8],0
  7c3b               jl odd
  4901d4             add r12,rdx
  f6c101             test cl,1
  7533               jne odd
  83e901             sub ecx,1
  77bc               ja again
  eb49               jmp done
                     wide:
  4c634b04           movsxd r9,dword [rbx+4]
  49c1f903           sar r9,3
  49f7d9             neg r9
  4c0f48c8           cmovs r9,rax
  0f92c0             setb al
  4c094f18           or [rdi+0x18],r9
  4c31ca             xor rdx,r9
  48f7d2             not rdx
  4c0fbcd2           bsf r10,rdx
  49d3e2             shl r10,cl
  ff4720             inc dword [rdi+0x20]
  ffc9               dec ecx
  7590               jnz again
  eb1d               jmp done
                     odd:
  4889de             mov rsi,rbx
  e81e000000         call part
  488d1488           lea rdx,[rax+rcx*4]
  483b5708           cmp rdx,[rdi+8]
  0f8678ffffff       jbe again
  e80b000000         call part
  f3a4               rep movsb
                     done:
  4883c428           add rsp,0x28
  415c               pop r12
  5b                 pop rbx
  5d                 pop rbp
  c3                 ret
                     part:
  53                 push rbx
  488b5c2408         mov rbx,[rsp+8]
  f30f6f06           movdqu xmm0,[rsi]
  660fefc1           pxor xmm0,xmm1
  660ffec2           paddd xmm0,xmm2
  0f114730           movups [rdi+0x30],xmm0
  f20f101e           movsd xmm3,[rsi]
  f20f58db           addsd xmm3,xmm3
  f20f595e08         mulsd xmm3,[rsi+8]
  f20f115f40         movsd [rdi+0x40],xmm3
  480306             add rax,[rsi]
  4883d200           adc rdx,0
  48c1c005           rol rax,5
  f0480fb11f         lock cmpxchg [rdi],rbx
  4892               xchg rax,rdx
  5b                 pop rbx
  c3                 ret
`;

/** All of one page is code that is run often. */
const job: TranslationJob = {
  id: 0,
  long: true,
  pages: Int32Array.of(0),
  bitmaps: new Uint8Array(bitmapsBytes).fill(0xff),
  regions: Int32Array.of(0, wishBits.leavesOnMiss, 1, 0, 0),
};

/** The sample's instructions. */
export const practised = sample.split('\n').filter((line) => /^ {2}[0-9a-f]/.test(line));

function samplePage(): Uint8Array {
  const page = new Uint8Array(pageSize);
  const digits = practised.map((line) => line.trim().split(' ', 1)[0]).join('');
  for (let at = 0; at < digits.length; at += 2) page[at / 2] = Number.parseInt(digits.slice(at, at + 2), 16);
  return page;
}

export class Practice {
  readonly #compiler: RegionCompiler;

  /** @param options those of the compiler that is going to be used; with its `facts`, what is found out about them is kept */
  constructor(options: RegionCompilerOptions) {
    this.#compiler = new RegionCompiler({ ...options, ram: samplePage(), library: undefined });
  }

  /** @returns how many instructions were translated */
  run(): number {
    const { modules } = this.#compiler.compile(job);
    return modules.reduce((sum, { regions }) => sum + (regions[0]?.instructions ?? 0), 0);
  }
}
