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
