module stock
