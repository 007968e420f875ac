// How a list is asked for something else: by its address, and together with a name in the body of a form.
import { type ReactNode, useEffect, useRef } from 'react'
import { Form, Link, useSearchParams } from 'react-router'

const formId = 'list'

type Filter = Readonly<Record<string, string | undefined>>

/** A name to search for, and the filters that go with it. */
export const ListForm = ({
  search,
  order,
  children,
}: {
  search: string
  order: { readonly sort: string; readonly direction: string }
  children: ReactNode
}) => {
  const field = useRef<HTMLInputElement>(null)
  const sent = useRef(search)
  // Not another field: whoever has just searched is still in this one, and may be typing on while the answer is on its way.
  useEffect(() => {
    if (field.current?.value === sent.current) field.current.value = search
    sent.current = search
  }, [search])
  const remember = () => {
    sent.current = field.current?.value ?? ''
  }
  return (
    <Form id={formId} method="post" action="?" role="search" className="filter" onSubmit={remember}>
      <span className="pair">
        <label htmlFor="search">Name or reference</label>
        <input ref={field} id="search" name="search" type="search" maxLength={120} defaultValue={search} />
      </span>
      {children}
      <input type="hidden" name="sort" value={order.sort} />
      <input type="hidden" name="direction" value={order.direction} />
      <button type="submit" className="button plain small">
        Filter
      </button>
    </Form>
  )
}

/** The same list with this changed: a link, or a button of the form while that holds a name. */
export const ListLink = ({
  name,
  value,
  address,
  search,
  className,
  children,
}: {
  name: 'order' | 'cursor'
  value: string
  address: Filter
  search: string
  className?: string
  children: ReactNode
}) => {
  const [present] = useSearchParams()
  if (search)
    return (
      <button type="submit" form={formId} name={name} value={value} className={`link ${className ?? ''}`}>
        {children}
      </button>
    )
  const parameters = new URLSearchParams(present)
  parameters.delete('cursor')
  for (const [name, text] of Object.entries(address)) if (text) parameters.set(name, text)
  return (
    <Link className={className} to={`?${parameters}`} preventScrollReset={name === 'order'}>
      {children}
    </Link>
  )
}
