// The way to sign in and back to this page: an ordinary link, as it leaves for a document of the gateway.
import { useLocation } from 'react-router'

type Props = {
  readonly children: string
  readonly className?: string
  /** Leaves this page as it is. */
  readonly elsewhere?: boolean
}

export const SignInLink = ({ children, className, elsewhere = false }: Props) => {
  const { pathname, search } = useLocation()
  const returnTo = elsewhere ? '/' : pathname + search
  return (
    <a
      href={`/auth/sign-in?${new URLSearchParams({ returnTo })}`}
      className={className}
      {...(elsewhere && { target: '_blank' })}
    >
      {children}
    </a>
  )
}
