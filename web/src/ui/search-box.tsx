import { Search } from 'lucide-react'
import { Input } from './form'

interface Props {
  label: string
  value: string
  onChange: (value: string) => void
  placeholder?: string
  /** Takes all the room there is, wherever it stands. */
  wide?: boolean
}

/** A field to search with; on a phone it takes the room that the buttons beside it leave. */
export function SearchBox({ label, value, onChange, placeholder = 'Search', wide = false }: Props) {
  return (
    <div className={wide ? 'relative w-full sm:w-auto sm:min-w-56 sm:flex-1' : 'relative min-w-36 flex-1 sm:flex-none'}>
      <Search aria-hidden className="pointer-events-none absolute top-2.5 left-3 size-4 text-ink-3" />
      <Input aria-label={label} placeholder={placeholder} value={value} onChange={(e) => onChange(e.target.value)} className="pl-9" />
    </div>
  )
}
