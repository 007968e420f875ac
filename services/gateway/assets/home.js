// Shows the live list of loans on the first page.
import { followLive } from './live.js'

const rowsShownMax = 100
// A reader of the page by ear hears at most one sentence about changes in this time.
const newsDelayMs = 5_000

const find = (id) => document.getElementById(id)
const euros = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR', maximumFractionDigits: 0 })
const clock = new Intl.DateTimeFormat('en', { timeStyle: 'medium', hourCycle: 'h23' })
const day = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' })

const timeOf = (iso) => {
  const date = new Date(iso)
  const isToday = date.toDateString() === new Date().toDateString()
  const time = document.createElement('time')
  time.dateTime = iso
  time.textContent = isToday ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`
  return time
}

const cell = (...content) => {
  const td = document.createElement('td')
  td.append(...content)
  return td
}

const rowOf = (loan) => {
  const amount = cell(euros.format(loan.amount))
  amount.className = 'number'
  const status = cell(loan.status)
  status.dataset.status = loan.status
  const id = document.createElement('code')
  id.textContent = loan.loanId.slice(0, 8)
  const loanCell = cell(id)
  loanCell.className = 'wide'
  const tr = document.createElement('tr')
  tr.append(cell(timeOf(loan.requestedAt)), amount, status, loanCell)
  return tr
}

/** As the server orders them: the newest first. */
const compare = (a, b) => {
  if (a.requestedAt !== b.requestedAt) return a.requestedAt > b.requestedAt ? -1 : 1
  return a.loanId > b.loanId ? -1 : 1
}

/** What stands in the table: by loan id, the loan and its row. */
const shown = new Map()
const fresh = new Set()
let loans = new Map()
let isFrameDue = false

const draw = () => {
  isFrameDue = false
  const body = find('rows')
  const first = [...loans.values()].sort(compare).slice(0, rowsShownMax)
  const stays = new Set(first.map(({ loanId }) => loanId))
  for (const [loanId, { tr }] of shown) {
    if (stays.has(loanId)) continue
    tr.remove()
    shown.delete(loanId)
  }
  for (const [place, loan] of first.entries()) {
    const known = shown.get(loan.loanId)
    if (known?.loan !== loan) {
      const tr = rowOf(loan)
      tr.classList.toggle('fresh', fresh.has(loan.loanId))
      known?.tr.remove()
      shown.set(loan.loanId, { loan, tr })
    }
    const { tr } = shown.get(loan.loanId)
    if (body.children[place] !== tr) body.insertBefore(tr, body.children[place] ?? null)
  }
  fresh.clear()
  find('empty').hidden = loans.size > 0
  find('more').hidden = loans.size <= rowsShownMax
  find('more').textContent = `The newest ${rowsShownMax} are shown.`
}

const untold = new Set()
let newsTimer

const tellNews = () => {
  newsTimer = undefined
  const changed = [...untold].flatMap((key) => loans.get(key) ?? [])
  untold.clear()
  const [only] = changed
  if (changed.length === 1) find('news').textContent = `Loan of ${euros.format(only.amount)}: ${only.status}.`
  else if (only) find('news').textContent = `${changed.length} loans changed.`
}

find('origin').textContent = location.origin

followLive({
  url: `${location.origin.replace(/^http/, 'ws')}/live`,
  topic: 'loans',
  keyOf: (loan) => loan.loanId,
  onState: (state) => {
    if (find('state').dataset.state === state) return
    find('state').dataset.state = state
    find('state-text').textContent = state === 'live' ? 'Live' : 'Reconnecting …'
  },
  onHeard: () => {
    find('as-of').hidden = false
    find('as-of').querySelector('time').replaceWith(timeOf(new Date().toISOString()))
  },
  onRows: (rows, changedKeys) => {
    loans = rows
    for (const key of changedKeys) {
      fresh.add(key)
      untold.add(key)
    }
    if (changedKeys.length > 0 && !newsTimer) newsTimer = setTimeout(tellNews, newsDelayMs)
    if (!isFrameDue) requestAnimationFrame(draw)
    isFrameDue = true
  },
})
