// A column's heading that sorts by it; the order is part of the page's address.
import { ListLink } from './list-form.tsx'

type Props = {
  readonly by: string
  readonly label: string
  readonly order: { readonly sort: string; readonly direction: string }
  readonly search: string
  /** `number`: right-aligned; `wide`: only where there is room. */
  readonly className?: string
}

export const SortedHeader = ({ by, label, order, search, className }: Props) => {
  const isSorted = order.sort === by
  const direction = isSorted && order.direction === 'asc' ? 'desc' : 'asc'
  const sorted = order.direction === 'asc' ? 'ascending' : 'descending'
  return (
    <th scope="col" className={className} aria-sort={isSorted ? sorted : undefined}>
      <ListLink
        name="order"
        value={`${by} ${direction}`}
        address={{ sort: by, direction }}
        search={search}
        className={isSorted ? 'sort sorted' : 'sort'}
      >
        {label}
        <span aria-hidden="true">{isSorted ? (order.direction === 'asc' ? ' ↑' : ' ↓') : ''}</span>
      </ListLink>
    </th>
  )
}
