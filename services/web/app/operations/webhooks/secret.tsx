// A webhook's secret, for the one moment in which it is shown.
export const Secret = ({ secret, partner }: { secret: string; partner: string }) => (
  <div className="summary good" role="status">
    <h2>The secret, now and never again</h2>
    <p>
      Hand it to {partner} over a way you trust: whoever has it can sign as Headwater. Where it is lost, replace it.
    </p>
    <p>
      <code className="secret">{secret}</code>
    </p>
  </div>
)
