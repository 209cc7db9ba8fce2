/** What each accelerator translates. */
export const translation = { auto: 'hot', interpret: 'never', translate: 'hot', verify: 'verify' } as const;
