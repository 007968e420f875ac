// Pages as text: what is put into a template is escaped, unless a template made it.

/** Text that is HTML already. */
export type Html = { readonly html: string }

type Part = Html | string | number | false | undefined | readonly Html[]

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const textOf = (part: Part): string => {
  if (part === undefined || part === false) return ''
  if (typeof part === 'object') return 'html' in part ? part.html : part.map(({ html }) => html).join('')
  return String(part).replaceAll(/[&<>"']/g, (sign) => escapes[sign] ?? '')
}

export const html = (strings: TemplateStringsArray, ...parts: readonly Part[]): Html => ({
  html: strings.map((text, place) => text + textOf(parts[place])).join(''),
})
