/** What one file takes, with what it reads back as (but for the newline), and what it refuses with EINVAL. */
export interface Writes {
  readonly taken: Readonly<Record<string, string>>;
  readonly refused: readonly string[];
}

/** The files of /sys/kernel/mm/coldpgs: text as it is, nothing stripped (reference: coldpgs, section 2). */
export const globalWrites: Readonly<Record<string, Writes>> = {
  flags: {
    taken: { '0': '0x0', '1\n': '0x1', '10': '0x10', '0xfF': '0xff', '+ffffffff\n': '0xffffffff', '0X8': '0x8' },
    refused: ['100000000', '-1', ' 1', '1 ', '1\n\n', 'g', '', '\n', '0x', '\xa01'],
  },
  mode: {
    taken: { '0': '0x0', '3\n': '0x3', '0x7': '0x7', deadbeef: '0xdeadbeef' },
    refused: ['100000000', '-1', ' 1', '1 ', '1\n\n', 'x', ''],
  },
  batch: {
    taken: { '1': '1', '+64\n': '64', '007': '7', '4294967295': '4294967295' },
    refused: ['0', '4294967296', '-1', '0x10', 'a', ' 1', '1 ', '1\n\n', '1k', '', '1.5'],
  },
  hierarchy: {
    taken: { '1': '1', '0\n': '0', '+1': '1', '01': '1' },
    refused: ['2', '-1', 'yes', '0x1', ' 1', ''],
  },
  threshold_nonrot: {
    taken: { '0': '0', '255\n': '255' },
    refused: ['256', '-1', '0xf', ' 1', ''],
  },
  threshold: {
    taken: { '1': '1', '255\n': '255', '+2': '2' },
    refused: ['0', '0\n', '256', '-1', '0x1', ' 1', '1 ', '', 'one'],
  },
};

/** The memory.coldpgs.* files of a memcg: white space around is stripped (reference: coldpgs, section 3). */
export const memcgWrites: Readonly<Record<string, Writes>> = {
  flags: {
    taken: {
      '0': '0x0',
      '0x700000000\n': '0x700000000',
      '10': '0x10',
      '\t +8\xa0\n\n': '0x8',
      ffffffffffffffff: '0xffffffffffffffff',
      '1\0junk': '0x1',
    },
    refused: ['', '\n', '10000000000000000', '-1', 'g', '1 2', '0x'],
  },
  threshold: {
    taken: { '0': '0', '255\n': '255', '  7  \n\n': '7', '\xa0+9\v': '9', '010': '10' },
    refused: ['256', '-1', '0x1', '1k', '', ' \n', '1 2', '99999999999999999999999'],
  },
  size: {
    taken: { '18446744073709551615': '18446744073709551615', ' 4096\n\n': '4096', '+1': '1', '010': '10', '0': '0' },
    refused: ['18446744073709551616', '4k', '1M', '0x1000', '-1', '', 'max', '1.5', '1 2'],
  },
};

/** The files of /sys/kernel/mm/kidled: text as it is, nothing stripped (reference: kidled, section 4). */
export const kidledWrites: Readonly<Record<string, Writes>> = {
  use_hierarchy: {
    taken: { '1': '1', '0\n': '0', '+1': '1', '01': '1' },
    refused: ['2', '-1', 'yes', '0x1', ' 1', '1 ', '1\n\n', '\n', ''],
  },
  scan_target: {
    taken: { '1': '1', '2\n': '2', '+3': '3', '03': '3' },
    refused: ['0', '4', '-1', 'both', '0x1', ' 1', '1 ', ''],
  },
  scan_period_in_seconds: {
    taken: { '1': '1', '65535\n': '65535', '0': '0', '+120\n': '120', '015': '15' },
    refused: ['65536', '-1', '0x10', '1.5', '15s', ' 1', '1 ', '1\n\n', '', '99999999999999999999999'],
  },
};

/** memory.idle_page_stats: what is read back in its line of buckets, and what is refused by which errno (reference: kidled, section 5). */
export const bucketWrites: {
  readonly taken: Readonly<Record<string, string>>;
  readonly refused: Readonly<Record<string, 'EINVAL' | 'E2BIG'>>;
} = {
  taken: {
    '1,2,5,15,30,60,120,240\n': '1,2,5,15,30,60,120,240',
    '1,10\n': '1,10',
    '255': '255',
    ' 1 , 2,,3   4\n': '1,2,3,4',
    '5,10,\n': '5,10',
    '5, 10 , \n\n': '5,10',
    '+5 007': '5,7',
    '\t3,4\xa0\n': '3,4',
    '1,2,3,4,5,6,7,8,': '1,2,3,4,5,6,7,8',
    '1 2\0junk': '1,2',
    '\n': 'no valid bucket available',
    ' \n': 'no valid bucket available',
    '9': '9',
  },
  refused: {
    '0': 'EINVAL',
    '256': 'EINVAL',
    '1,1': 'EINVAL',
    '2,1': 'EINVAL',
    '1,x': 'EINVAL',
    '1\t2': 'EINVAL',
    '1\n2': 'EINVAL',
    ',1': 'EINVAL',
    ',': 'EINVAL',
    ', ': 'EINVAL',
    '-1': 'EINVAL',
    '0x5': 'EINVAL',
    '1;2': 'EINVAL',
    '1,2,3,4,5,6,7,7,9': 'EINVAL',
    '1,2,3,4,5,6,7,8,9': 'E2BIG',
    '1,2,3,4,5,6,7,8,x': 'E2BIG',
    '1 2 3 4 5 6 7 8 0': 'E2BIG',
    '99999999999999999999999': 'EINVAL',
  },
};
