// The heading of the operators' pages, and the way between them.
import { NavLink } from 'react-router'

export const Tabs = () => (
  <div className="title">
    <h1>Operations</h1>
    <nav className="tabs" aria-label="Operations">
      <NavLink to="/operations" end>
        Overview
      </NavLink>
      <NavLink to="/operations/webhooks">Webhooks</NavLink>
    </nav>
  </div>
)
