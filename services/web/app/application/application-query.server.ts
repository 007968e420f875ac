// Where the API tells about an application, waiting for what was just written when the page's address says so.

export const applicationQuery = (loanId: string, request: Request): string => {
  const after = new URL(request.url).searchParams.get('after')
  return `/api/loans/${encodeURIComponent(loanId)}${after === null ? '' : `?after=${encodeURIComponent(after)}`}`
}
