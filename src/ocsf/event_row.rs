//! Writes an event under way as a row.

use std::sync::Arc;

use arrow::datatypes::Fields;

use super::columns::Columns;
use super::event::{Object, Value, decimal};
use super::schema::Node;

impl Columns {
    /// Sets attributes of the present row from an event under way and returns the paths of those that have no
    /// column of their type.
    pub fn event(&mut self, event: &Object) -> Vec<String> {
        let schema = Arc::clone(&self.schema);
        let mut writing = Writing { columns: self, path: String::new(), left_over: Vec::new() };
        let row = writing.columns.rows;
        writing.object((schema.arrow.fields(), &schema.roots), row, event);
        writing.left_over
    }

    /// Starts the next item of a list whose parent is a row or an item, and returns its number.
    fn item_of(&mut self, list: usize, parent: usize) -> usize {
        self.lists.get_mut(list).map_or(0, |list| {
            list.pad(parent);
            list.items += 1;
            list.items - 1
        })
    }
}

/// An event being written.
struct Writing<'c> {
    columns: &'c mut Columns,
    path: String,
    left_over: Vec<String>,
}

impl Writing<'_> {
    fn object(&mut self, (fields, nodes): (&Fields, &[Node]), row: usize, object: &Object) {
        for (name, value) in object.attributes() {
            let length = self.path.len();
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(name);
            let found = fields.iter().zip(nodes).find(|(field, _)| field.name() == name);
            if !found.is_some_and(|(_, node)| self.value(node, row, value)) {
                self.left_over.push(self.path.clone());
            }
            self.path.truncate(length);
        }
    }

    /// Writes a value at a place: a row, or an item of a list. False when the column is of another type.
    fn value(&mut self, node: &Node, row: usize, value: &Value) -> bool {
        let columns = &mut *self.columns;
        let done = match (node, value) {
            (Node::Text(slot), Value::Text(text)) => {
                columns.text.get_mut(*slot).map(|column| column.put(row, text.as_bytes()))
            }
            (Node::Int(slot), Value::Integer(number)) => match i32::try_from(*number) {
                Ok(number) => columns.int.get_mut(*slot).map(|column| column.put(row, number)),
                Err(_out_of_range) => None,
            },
            (Node::Long(slot) | Node::Time(slot), Value::Integer(number)) => {
                columns.long.get_mut(*slot).map(|column| column.put(row, *number))
            }
            (Node::Flag(slot), Value::Flag(flag)) => {
                columns.flag.get_mut(*slot).map(|column| column.put(row, *flag))
            }
            (Node::Decimal(precision, scale, slot), Value::Text(digits)) => {
                let number = decimal(digits, *precision, *scale);
                number.and_then(|number| columns.decimal.get_mut(*slot).map(|column| column.put(row, number)))
            }
            (Node::Struct(fields, nodes), Value::Object(object)) => {
                self.object((fields, nodes), row, object);
                Some(())
            }
            (Node::List(_, list, node), Value::List(values)) => {
                let mut whole = true;
                for value in values {
                    let item = self.columns.item_of(*list, row);
                    whole &= self.value(node, item, value);
                }
                return whole;
            }
            _ => None,
        };
        done.is_some()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::json::LineDelimitedWriter;

    use super::*;
    use crate::ocsf::schema::TableSchema;

    /// Lists in lists, with rows and items that have none, keep what belongs together together.
    #[test]
    fn an_event_with_lists_in_lists_becomes_a_row() {
        let list = "a[].b[].c string x\na[].d int x\ne decimal(3,1) x\n";
        let mut columns = Columns::new(&Arc::new(TableSchema::read(list).unwrap()));
        let inner = |text: &str| {
            let mut object = Object::default();
            object.constant("c", text);
            object
        };
        let outer = |texts: &[&str], number: i64| {
            let mut object = Object::default();
            object.objects("b", texts.iter().map(|text| inner(text)).collect());
            object.integer("d", number);
            object
        };
        let mut rows = [Object::default(), Object::default(), Object::default()];
        rows[0].objects("a", vec![outer(&["1", "2"], 1), outer(&[], 2), outer(&["3"], 3)]);
        rows[2].objects("a", vec![outer(&[], 4), outer(&["5"], 1 << 40)]);
        rows[2].constant("e", "9.8");
        rows[2].constant("f.g", "no column");
        let left_over: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let left_over = columns.event(row);
                columns.end_row();
                left_over
            })
            .collect();
        let batch = columns.finish().unwrap();
        let mut text = Vec::new();
        LineDelimitedWriter::new(&mut text).write(&batch).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "{\"a\":[{\"b\":[{\"c\":\"1\"},{\"c\":\"2\"}],\"d\":1},{\"d\":2},{\"b\":[{\"c\":\"3\"}],\"d\":3}]}\n{}\n\
             {\"a\":[{\"d\":4},{\"b\":[{\"c\":\"5\"}]}],\"e\":9.8}\n"
        );
        assert!(batch.column(0).as_list::<i32>().is_null(1));
        assert_eq!(left_over, [vec![], vec![], vec!["a.d".to_owned(), "f".to_owned()]]);
    }
}
