// Lines of comma-separated values (RFC 4180) that a spreadsheet opens without harm.

/** Lets spreadsheets read the file as UTF-8. */
export const byteOrderMark = '\ufeff'

/** What begins like a formula would be run as one when the file is opened: an applicant chooses their own name. */
const formula = /^[=+\-@\t\r]/

const cell = (value: string | number | null): string => {
  if (value === null) return ''
  if (typeof value === 'number') return String(value)
  const harmless = formula.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}

export const csvLine = (values: readonly (string | number | null)[]): string => `${values.map(cell).join(',')}\r\n`
