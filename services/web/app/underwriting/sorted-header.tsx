// A column's heading that sorts by it; the order is part of the page's address.
import { Link, useSearchParams } from 'react-router'

type Props = {
  readonly by: string
  readonly label: string
  readonly order: { readonly sort: string; readonly direction: string }
  readonly number?: boolean
}

export const SortedHeader = ({ by, label, order, number = false }: Props) => {
  const [search] = useSearchParams()
  const isSorted = order.sort === by
  const direction = isSorted && order.direction === 'asc' ? 'desc' : 'asc'
  const address = new URLSearchParams(search)
  address.set('sort', by)
  address.set('direction', direction)
  address.delete('cursor')
  const sorted = order.direction === 'asc' ? 'ascending' : 'descending'
  return (
    <th scope="col" className={number ? 'number' : undefined} aria-sort={isSorted ? sorted : undefined}>
      <Link className="sort" data-sorted={isSorted || undefined} to={`?${address}`} preventScrollReset>
        {label}
        <span aria-hidden="true">{isSorted ? (order.direction === 'asc' ? ' ↑' : ' ↓') : ''}</span>
      </Link>
    </th>
  )
}
