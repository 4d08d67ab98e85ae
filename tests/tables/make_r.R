set.seed(1)
d <- data.frame(participant = rep(c("01", "1"), each = 6), trial = rep(1:6, 2), choice = factor(c("left", "right", "right", NA, "left", "right", "left", "left", "right", "right", "left", "right")),
                reward = c(.5, 0, 1, NA, .5, 0, 1, 0, .5, 1, 0, 1))
write.csv(d, "r_write_csv.csv")
write.csv2(d, "r_write_csv2.csv", row.names = FALSE)
write.table(d, "r_write_table.txt")
write.table(d, "r_write_table_tab.txt", sep = "\t", quote = FALSE, row.names = FALSE, na = "")
d$choice <- d$choice == "left"
write.csv(d, "r_logical.csv", row.names = FALSE)
d$choice <- ifelse(is.na(d$choice), -999, as.integer(d$choice) + 1L)
con <- file("r_utf16.txt", open = "w", encoding = "UTF-16LE"); write.table(d, con, sep = "\t", row.names = FALSE); close(con)
saveRDS(d, "r_saved.rds")
