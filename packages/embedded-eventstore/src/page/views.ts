// The views of the developer's page: streams, persistent subscriptions, and the events of a stream.
import { allStream, type PageOfEvents, type ShownEvent, value } from '../http/page-of-events.ts'
import { isSnapshot } from '../store/names.ts'
import { tombstoneRevision } from '../store/record.ts'
import { type Html, html } from './html.ts'

/** Longer text is cut; the event's JSON link has all of it. */
const shownLengthMax = 16 * 1024

export type StreamLine = { readonly name: string; readonly revision: number; readonly note: string }
export type Subscription = {
  readonly streamName: string
  readonly groupName: string
  readonly status: string
  readonly consumers: number
  readonly lag: number
  readonly parked: number
}
export type StreamsPage = {
  readonly prefix: string
  readonly withSystem: boolean
  readonly streams: readonly StreamLine[]
  /** Start of the next page; undefined on the last. */
  readonly before: number | undefined
  readonly subscriptions: readonly Subscription[]
}

const browse = (streamName: string, query: Record<string, string | number> = {}): string =>
  `browse?${new URLSearchParams({ stream: streamName, ...Object.fromEntries(Object.entries(query).map(([key, each]) => [key, String(each)])) })}`

const numberOf = (revision: number): string => (revision === tombstoneRevision ? 'last' : String(revision))

const streamLine = ({ name, revision, note }: StreamLine): Html => html`<tr>
<td class="name"><a href="${browse(name)}">${name}</a></td><td class="number">${note === '' ? '' : html`<small>${note}</small> `}${numberOf(revision)}</td></tr>`

const subscriptionLine = (line: Subscription): Html => html`<tr>
<td class="name"><a href="${browse(line.streamName)}">${line.streamName}</a></td><td class="name">${line.groupName}</td><td>${line.status}</td>
<td class="number">${line.consumers}</td><td class="number">${line.lag}</td><td class="number">${line.parked}</td></tr>`

const table = (label: string, head: Html, lines: readonly Html[], empty: string): Html =>
  lines.length === 0
    ? html`<div class="wide"><p class="empty">${empty}</p></div>`
    : html`<div class="wide" role="region" aria-label="${label}" tabindex="0"><table><thead>${head}</thead><tbody>${lines}</tbody></table></div>`

export const overview = ({ prefix, withSystem, streams, before, subscriptions }: StreamsPage): Html => {
  const more = new URLSearchParams({ prefix, before: String(before), ...(withSystem ? { system: 'true' } : {}) })
  return html`<h1>Streams</h1>
<form action=".">
<input type="search" name="prefix" value="${prefix}" placeholder="Names that begin with …" aria-label="Names that begin with">
<label><input type="checkbox" name="system" value="true"${withSystem ? html` checked` : ''}> system streams</label>
<button>Show</button>
</form>
${table(
  'Streams',
  html`<tr><th scope="col">Youngest first</th><th scope="col" class="number">Last revision</th></tr>`,
  streams.map(streamLine),
  prefix === '' ? 'There is no stream yet. Append an event, and come back.' : 'No stream’s name begins so.',
)}
${before === undefined ? '' : html`<nav><a href=".?${more.toString()}">Older streams</a></nav>`}
<h2>Persistent subscriptions</h2>
${table(
  'Persistent subscriptions',
  html`<tr><th scope="col">Stream</th><th scope="col">Group</th><th scope="col">Status</th><th scope="col" class="number">Consumers</th><th scope="col" class="number">Lag, events</th><th scope="col" class="number">Parked</th></tr>`,
  subscriptions.map(subscriptionLine),
  'There are none.',
)}`
}

const textOf = (isJson: boolean, bytes: Buffer): Html => {
  const found = value(isJson, bytes)
  const text = typeof found === 'string' && isJson ? bytes.toString('utf8') : JSON.stringify(found, null, 2)
  const cut = text.length > shownLengthMax
  return html`<pre>${cut ? text.slice(0, shownLengthMax) : text}</pre>${cut ? html`<p><small>The first ${shownLengthMax} of ${text.length} characters.</small></p>` : ''}`
}

const linkOf = (event: ShownEvent): Html | string => {
  const [, revision, target] = (event.type === '$>' && /^(\d+)@(.+)$/s.exec(event.data.toString('utf8'))) || []
  if (revision === undefined || target === undefined) return ''
  return html`<p>A link to <a href="${browse(target, { from: revision, direction: 'backwards' })}">${revision}@${target}</a></p>`
}

const eventItem = (event: ShownEvent): Html => {
  const created = new Date(event.createdAtMs).toISOString()
  const itself = `streams/${encodeURIComponent(event.streamName)}/${event.revision}`
  return html`<li><details>
<summary><span>${numberOf(event.revision)}</span><b>${event.type}</b><span>${event.streamName}</span><time datetime="${created}">${created.replace('T', ' ').replace('Z', '')}</time></summary>
<div class="inside">${linkOf(event)}
<small>Data${event.isJson ? '' : ', base64'}</small>${textOf(event.isJson, event.data)}
${event.metadata.length === 0 ? '' : html`<small>Metadata</small>${textOf(true, event.metadata)}`}
<small>Position ${event.position} · id ${event.id} · stream <a href="${browse(event.streamName)}">${event.streamName}</a> · <a href="${itself}">as JSON</a></small>
</div></details></li>`
}

/** Without snapshots, which are personal data as a whole. */
export const eventItems = ({ events }: PageOfEvents): Html =>
  html`${events.filter(({ streamName }) => !isSnapshot(streamName)).map(eventItem)}`

export const eventsView = (streamName: string, page: PageOfEvents, isNewest: boolean): Html => {
  const links = html`${isNewest ? '' : html`<a href="${browse(streamName)}">Newest</a><a href="${browse(streamName, { from: page.newer, direction: 'forwards' })}">Newer</a>`}
${page.older === undefined ? '' : html`<a href="${browse(streamName, { from: page.older })}">Older</a>`}`
  const title = streamName === allStream ? 'All events' : streamName
  return html`<h1>${title}</h1>
<nav aria-label="Pages">${links}
${isNewest ? html`<button type="button" id="pause">Pause</button><small role="status">live</small>` : ''}</nav>
<ol data-newer="${page.newer}">${eventItems(page)}</ol>
${page.events.length === 0 ? html`<p class="empty">Nothing is here.</p>` : ''}`
}
