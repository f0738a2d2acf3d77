package mixins

import "reflect"

// clone returns a user that shares nothing changeable with u.
func (p *Plan[U]) clone(u U) U {
	c := reflect.New(p.elem)
	c.Elem().Set(reflect.ValueOf(u).Elem())
	for i := range p.fields {
		v := c.Elem().FieldByIndex(p.fields[i].index)
		v.Set(p.deepCopy(v))
	}
	return c.Interface().(U)
}

// deepCopy copies what a value points to; users by the plan, which knows them best. Other structs with private fields are
// values of their own, such as time.Time.
func (p *Plan[U]) deepCopy(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		switch {
		case v.IsNil():
			return v
		case v.Type() == reflect.TypeFor[U]():
			return reflect.ValueOf(p.clone(v.Interface().(U)))
		}
		c := reflect.New(v.Type().Elem())
		c.Elem().Set(p.deepCopy(v.Elem()))
		return c
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		c := reflect.New(v.Type()).Elem()
		c.Set(p.deepCopy(v.Elem()))
		return c
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(c, v)
		if k := v.Type().Elem().Kind(); k == reflect.String || k <= reflect.Complex128 {
			return c // numbers and texts point to nothing that could change
		}
		for i := range v.Len() {
			c.Index(i).Set(p.deepCopy(v.Index(i)))
		}
		return c
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		c := reflect.MakeMapWithSize(v.Type(), v.Len())
		for iter := v.MapRange(); iter.Next(); {
			c.SetMapIndex(iter.Key(), p.deepCopy(iter.Value()))
		}
		return c
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				return v
			}
		}
		c := reflect.New(v.Type()).Elem()
		for i := range v.NumField() {
			c.Field(i).Set(p.deepCopy(v.Field(i)))
		}
		return c
	default:
		return v
	}
}
