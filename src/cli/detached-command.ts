/** The command that `run --detach` starts itself again with. */
export const detachedCommand = 'run-detached';
