"""The recovery kit: files, pages, paper."""
