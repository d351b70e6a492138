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
	rows := bufio.NewScanner(os.Stdin)
	for rows.Scan() {
		sku, number, err := level(rows.Text())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		fmt.Printf("%s: %d\n", sku, number)
	}
}
