// Package main says how many of an article are in the warehouse.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

func level(row string) (string, int, error) {
	sku, count, found := strings.Cut(row, ";")
	if !found {
		return "", 0, fmt.Errorf("no count in %q", row)
	}
	number, err := strconv.Atoi(strings.TrimSpace(count))
	return sku, number, err
}

func main() {
	low := 0
	if len(os.Args) > 1 {
		low, _ = strconv.Atoi(os.Args[1])
	}
	rows := bufio.NewScanner(os.Stdin)
	for rows.Scan() {
		sku, number, err := level(rows.Text())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		mark := ""
		if number <= low {
			mark = " (low)"
		}
		fmt.Printf("%s: %d%s\n", sku, number, mark)
	}
}
