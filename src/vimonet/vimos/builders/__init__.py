"""Builders: what turns a source into VIMOS records. One file per source; `vimonet.vimos.build.build` writes them."""
