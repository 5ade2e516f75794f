/** Three layers: the mark of Strata. */
export function Logo({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 24 24" className={className} aria-hidden fill="none">
      <path d="M12 2.5 21.5 7 12 11.5 2.5 7 12 2.5Z" className="fill-accent" />
      <path d="m2.5 11.6 9.5 4.5 9.5-4.5" className="stroke-accent" strokeOpacity=".75" strokeWidth="2" strokeLinejoin="round" strokeLinecap="round" />
      <path d="m2.5 16.4 9.5 4.5 9.5-4.5" className="stroke-accent" strokeOpacity=".45" strokeWidth="2" strokeLinejoin="round" strokeLinecap="round" />
    </svg>
  )
}
