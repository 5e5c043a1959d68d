import type { DamonInterface, IdlePageInterface, PageOutInterface } from '../kernel.js';
import { refused } from './refusals.js';

/** The simulated kernel is built without idle page tracking, as those of most distributions. */
export const noIdlePages: IdlePageInterface = {
  obstacle: () => Promise.resolve('the simulated kernel has no idle page tracking'),
  read: () => Promise.reject(refused('ENODEV', 'The simulated kernel has no idle page tracking.')),
  mark: () => Promise.reject(refused('ENODEV', 'The simulated kernel has no idle page tracking.')),
};

/** The simulated kernel has no process_madvise. */
export const noPageOut: PageOutInterface = {
  obstacle: () => Promise.resolve('the simulated kernel has no process_madvise'),
  frames: () => {
    throw refused('EOPNOTSUPP', 'The simulated kernel has no process_madvise.');
  },
  pageOut: () => Promise.reject(refused('EOPNOTSUPP', 'The simulated kernel has no process_madvise.')),
};

/** The simulated kernel has no DAMON. */
export const noDamon: DamonInterface = {
  obstacle: () => Promise.resolve('the simulated kernel has no DAMON'),
  countFile: '/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds',
  stateFile: '/sys/kernel/mm/damon/admin/kdamonds/0/state',
  pidFile: '/sys/kernel/mm/damon/admin/kdamonds/0/pid',
  configure: () => Promise.reject(refused('ENODEV', 'The simulated kernel has no DAMON.')),
  replaceSchemes: () => Promise.reject(refused('ENODEV', 'The simulated kernel has no DAMON.')),
  stats: () => Promise.reject(refused('ENODEV', 'The simulated kernel has no DAMON.')),
};
