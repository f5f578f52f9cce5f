#!/usr/bin/env bash
# Makes the three fonts of this folder from those of Debian's packages
# fonts-noto-core and fonts-noto-mono: the scripts that documents cover, and no
# hinting, which paper does not need. It needs fontTools (pyftsubset).
set -euo pipefail
from="${1:?the folder with the fonts, for example /usr/share/fonts/truetype/noto}"
to="$(dirname "$0")"

# Latin, Greek, Cyrillic; punctuation, currencies, fractions.
text=U+0020-007E,U+00A0-024F,U+02B0-036F,U+0370-03FF,U+0400-052F,U+1E00-1EFF,U+1F00-1FFF
text+=,U+2000-2064,U+2070-209F,U+20A0-20C0,U+2100-214F,U+2150-218F,U+FB00-FB06,U+FFFD
# Queries fall back to the text font where this one has no glyph.
code=U+0020-007E,U+00A0-017F,U+2010-2027,U+20AC,U+FFFD

subset() { # subset FONT CHARACTERS
    pyftsubset "$from/$1" --unicodes="$2" --no-hinting --layout-features= --notdef-outline \
        --drop-tables+=GDEF,GPOS,GSUB --name-IDs=0,1,2,3,4,5,6,13,14 --output-file="$to/$1"
}
subset NotoSans-Regular.ttf "$text"
subset NotoSans-Bold.ttf "$text"
subset NotoSansMono-Regular.ttf "$code"
