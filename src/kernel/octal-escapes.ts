/** Undoes the escapes of names in /proc tables (`\040` for a blank and so on; seq_path in fs/seq_file.c). */
export function unescapeOctal(name: string): string {
  return name.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
