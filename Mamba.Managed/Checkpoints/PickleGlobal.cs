using System.Collections.Frozen;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>What a name of Python stands for in a pickle: nothing is looked up or called, each is a case here.</summary>
internal enum PickleFunction
{
    /// <summary>A dictionary, also one with an order or a default.</summary>
    Dictionary,

    /// <summary>A tensor over a storage.</summary>
    Tensor,

    /// <summary>A tensor that a module owns.</summary>
    Parameter,

    /// <summary>A tensor with attributes.</summary>
    TensorOfType,

    /// <summary>A tensor that is not elements in memory: sparse, quantized, nested or without data.</summary>
    OtherTensor,

    /// <summary>A plain value that does not concern the weights: a set, a size, a device, a path, a number of NumPy.</summary>
    Value,
}

/// <summary>The element type of a storage that this library does not read, as PyTorch names it.</summary>
internal sealed record OtherElements(string Name);

/// <summary>The names of Python that a pickle may hold. All others are refused by name.</summary>
internal static class PickleGlobal
{
    private static readonly FrozenDictionary<string, object> known = Known().ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>A <see cref="PickleFunction"/>, an <see cref="ElementType"/> or an <see cref="OtherElements"/>.</summary>
    /// <exception cref="InvalidDataException">The name is not known.</exception>
    public static object Find(string module, string name) => known.TryGetValue($"{module}.{name}", out object? found)
        ? found
        : throw new InvalidDataException(
            $"expected tensors, containers and plain values, found the Python name {Shortened.Text($"{module}.{name}")}; nothing is executed: save the weights alone with torch.save(model.state_dict(), path)");

    private static IEnumerable<KeyValuePair<string, object>> Known() =>
    [
        .. All(PickleFunction.Dictionary, "collections.OrderedDict", "collections.defaultdict", "collections.Counter"),
        .. All(PickleFunction.Dictionary, "lightning.fabric.utilities.data.AttributeDict", "lightning_fabric.utilities.data.AttributeDict", "pytorch_lightning.utilities.parsing.AttributeDict"),
        .. All(PickleFunction.Tensor, "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3"),
        .. All(PickleFunction.Parameter, "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"),
        .. All(PickleFunction.TensorOfType, "torch._tensor._rebuild_from_type_v2"),
        .. All(
            PickleFunction.OtherTensor, "torch._utils._rebuild_sparse_tensor", "torch._utils._rebuild_qtensor", "torch._utils._rebuild_nested_tensor",
            "torch._utils._rebuild_meta_tensor_no_storage", "torch._utils._rebuild_device_tensor_from_numpy", "torch._utils._rebuild_wrapper_subclass"),
        new("torch.FloatStorage", ElementType.Float32),
        new("torch.HalfStorage", ElementType.Float16),
        new("torch.BFloat16Storage", ElementType.BFloat16),
        new("torch.LongStorage", ElementType.Int64),
        .. Others(),
        .. Values(),
    ];

    private static IEnumerable<KeyValuePair<string, object>> Others()
    {
        (string Storage, string Type)[] storages =
        [
            ("DoubleStorage", "float64"), ("IntStorage", "int32"), ("ShortStorage", "int16"), ("CharStorage", "int8"), ("ByteStorage", "uint8"),
            ("BoolStorage", "bool"), ("ComplexFloatStorage", "complex64"), ("ComplexDoubleStorage", "complex128"), ("QInt8Storage", "qint8"),
            ("QUInt8Storage", "quint8"), ("QInt32Storage", "qint32"), ("QUInt4x2Storage", "quint4x2"), ("QUInt2x4Storage", "quint2x4"),
        ];
        string[] types =
        [
            "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool", "complex32", "complex64",
            "complex128", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2", "qint8", "quint8", "qint32",
        ];
        return
        [
            .. storages.Select(storage => new KeyValuePair<string, object>("torch." + storage.Storage, new OtherElements(storage.Type))),
            .. types.Select(type => new KeyValuePair<string, object>("torch." + type, new OtherElements(type))),
            new("torch.storage.UntypedStorage", new OtherElements("bytes")),
        ];
    }

    // Protocol 2 writes Python 2's name of the built-in module.
    private static IEnumerable<KeyValuePair<string, object>> Values() =>
    [
        .. from module in (string[])["builtins", "__builtin__"]
           from name in (string[])["set", "frozenset", "list", "tuple", "dict", "int", "float", "bool", "str", "bytes", "bytearray", "complex", "range", "xrange", "slice", "object", "unicode", "long"]
           select new KeyValuePair<string, object>($"{module}.{name}", PickleFunction.Value),
        .. from module in (string[])["numpy.core.multiarray", "numpy._core.multiarray"]
           from name in (string[])["scalar", "_reconstruct"]
           select new KeyValuePair<string, object>($"{module}.{name}", PickleFunction.Value),
        .. All(PickleFunction.Value, "numpy.dtype", "numpy.ndarray", "numpy.bool_", "numpy.float64", "numpy.float32", "numpy.int64", "numpy.int32"),
        .. All(PickleFunction.Value, "torch.Size", "torch.device", "torch.Tensor", "torch.nn.parameter.Parameter", "torch.serialization._get_layout"),
        .. All(PickleFunction.Value, "_codecs.encode", "argparse.Namespace", "types.SimpleNamespace", "collections.deque", "copyreg._reconstructor", "copy_reg._reconstructor"),
        .. All(PickleFunction.Value, "datetime.datetime", "datetime.date", "datetime.time", "datetime.timedelta", "datetime.timezone", "decimal.Decimal", "fractions.Fraction", "uuid.UUID"),
        .. All(PickleFunction.Value, "pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath", "pathlib.PureWindowsPath"),
        .. All(PickleFunction.Value, "pathlib._local.Path", "pathlib._local.PosixPath", "pathlib._local.WindowsPath"),
    ];

    private static IEnumerable<KeyValuePair<string, object>> All(PickleFunction function, params string[] names) =>
        names.Select(name => new KeyValuePair<string, object>(name, function));
}
