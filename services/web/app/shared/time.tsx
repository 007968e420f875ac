// A moment in the reader's own time zone; in UTC, and saying so, while only the server has spoken.
import { useHydrated } from './use-hydrated.ts'

type Style = 'moment' | 'clock'

const formats = (timeZone: string | undefined) => {
  const zone = timeZone === undefined ? {} : { timeZone }
  return {
    clock: new Intl.DateTimeFormat('en-GB', { ...zone, timeStyle: 'medium' }),
    moment: new Intl.DateTimeFormat('en-GB', {
      ...zone,
      day: 'numeric',
      month: 'short',
      hour: '2-digit',
      minute: '2-digit',
    }),
    full: new Intl.DateTimeFormat('en-GB', { ...zone, dateStyle: 'full', timeStyle: 'long' }),
  }
}
const universal = formats('UTC')
const local = formats(undefined)

export const Time = ({ at, as = 'moment' }: { at: string; as?: Style }) => {
  const hydrated = useHydrated()
  const date = new Date(at)
  const format = hydrated ? local : universal
  return (
    <time dateTime={at} title={format.full.format(date)}>
      {format[as].format(date)}
      {hydrated ? '' : ' UTC'}
    </time>
  )
}
