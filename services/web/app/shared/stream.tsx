// The picture on pages that stand in for others: water that goes around what is in its way.
export const Stream = () => (
  <svg className="stream" viewBox="0 0 240 64" aria-hidden="true">
    <path d="M0 20c30-22 60-22 90 0" />
    <path d="M150 20c30-22 60-22 90 0" />
    <path d="M0 46c20-15 40-15 60 0s40 15 60 0 40-15 60 0 40 15 60 0" />
  </svg>
)
