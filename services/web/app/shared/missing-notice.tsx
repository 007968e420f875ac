// Says that what a page shows may lack something: an event that could not be taken in, which operators look after.
import { useMatches } from 'react-router'

const lacksSomething = (loaded: unknown): boolean =>
  typeof loaded === 'object' && loaded !== null && 'isMissing' in loaded && loaded.isMissing === true

/** Shown on every page whose loader says so. */
export const MissingNotice = () =>
  useMatches().some(({ loaderData }) => lacksSomething(loaderData)) ? (
    <p className="missing">Something that happened lately is not shown here yet. Our operators know.</p>
  ) : null
