// The heading of the underwriters' pages, and the way between them.
import { NavLink } from 'react-router'

export const Tabs = () => (
  <div className="title">
    <h1>Underwriting</h1>
    <nav className="tabs" aria-label="Underwriting">
      <NavLink to="/underwriting" end>
        Waiting
      </NavLink>
      <NavLink to="/underwriting/decided">Decided</NavLink>
      <NavLink to="/underwriting/numbers">Numbers</NavLink>
    </nav>
  </div>
)
