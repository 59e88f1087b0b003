// Every text, a line each: key, English, Spanish, with tabs between. `t('gpt.title')` is `title` below `# gpt`.

export const text = `
skip	Skip to the picture	Ir a la imagen
chapters	Chapters	Capítulos
language	Language	Idioma
numbers	Numbers	Números
loading	Loading …	Cargando …
offline	The server does not answer. Is “m2g open” still running?	El servidor no responde. ¿Sigue en marcha «m2g open»?
says	{sentence}	El programa dice, en inglés: {sentence}
shape	Shape	Forma
axes	Axes	Ejes
equation	Equation	Ecuación
value	Value	Valor
range	Range	Rango
mean	mean	media
source	Source	Código
parameters	Parameters	Parámetros
place	Place	Lugar
row	Row	Fila
close	Close	Cerrar
clear	Clear	Borrar
reset	Reset	Reiniciar
start	Start	Empezar
stop	Stop	Parar
resume	Resume	Continuar
before	Back	Anterior
next	Next	Siguiente
table	As a table	Como tabla
window	{r} × {c} numbers around the one picked last.	{r} × {c} números en torno al último que elegiste.
model	Model	Modelo
untrained	{name} (untrained)	{name} (sin entrenar)
run	Run	Ejecución
step	Step	Paso
steps	Steps	Pasos
loss	Loss	Pérdida
cost	Cost C	Coste C
weights	Weights	Pesos
gradient	Gradient	Gradiente
probabilities	Probabilities	Probabilidades
neuron	neuron	neurona
input	input	entrada
example	example	ejemplo
layer	Layer	Capa
head	Head	Cabeza
token	Token
tokens	Tokens
score	Score	Puntuación
mask	Mask	Máscara
logit	Logit
temperature	Temperature T	Temperatura T
seed	Seed	Semilla
speed	Speed	Velocidad
progress	Progress	Progreso
pad	Drawing sheet	Hoja de dibujo
# numbers
empty	Point at something, or reach it with Tab and the arrow keys, to see its numbers.	Señala algo, o llega a ello con Tab y las flechas, para ver sus números.
# token
n	Token {i}: {token}
none	This address has no token. Open the one that “m2g open” printed.	A esta dirección le falta el token. Abre la que mostró «m2g open».
# prompt
empty	Type at least one character.	Escribe al menos un carácter.
# wanted
whole	{name} must be a whole number, 0 or more, of at most 15 digits.	{name} debe ser un número entero, 0 o más, de 15 cifras como máximo.
number	{name} must be a number.	{name} debe ser un número.
# none
digits	Untrained: it guesses. Train a network in	Sin entrenar: adivina. Entrena una red en
gpt	Untrained: it guesses. Train a small GPT in a minute in	Sin entrenar: adivina. Entrena un GPT pequeño en un minuto en
translate	Untrained: it guesses. Train one: m2g translate train --run es-en	Sin entrenar: adivina. Entrena uno: m2g translate train --run es-en
# letters
all	B: examples in a batch. K: inputs of a layer, N: its outputs. T: tokens in a text. C: numbers per token. H: heads, D = C / H: numbers per head. V: tokens in the vocabulary. (B, N) is a matrix of B rows and N columns.	B: ejemplos de un lote. K: entradas de una capa, N: sus salidas. T: tokens de un texto. C: números por token. H: cabezas, D = C / H: números por cabeza. V: tokens del vocabulario. (B, N) es una matriz de B filas y N columnas.
# start
title	From a neuron to a GPT	De una neurona a un GPT
lead	Touch your own models, and ask what if. Every number comes from the core that trains them.	Toca tus propios modelos y pregunta «¿y si…?». Cada número sale del núcleo que los entrena.
# neuron
title	Neuron	Neurona
lead	A neuron multiplies its input by a weight, adds a bias, and squashes the sum into a number between 0 and 1. Learning means turning weight and bias until the answer is right.	Una neurona multiplica su entrada por un peso, suma un sesgo y comprime la suma entre 0 y 1. Aprender es girar peso y sesgo hasta que la respuesta sea correcta.
one	One neuron	Una neurona
sentence	The input x is {x}, the weight w is {w}, the bias b is {b}. The answer a should be y = {y}.	La entrada x es {x}, el peso w es {w}, el sesgo b es {b}. La respuesta a debería ser y = {y}.
x	input x	entrada x
w	weight w	peso w
b	bias b	sesgo b
y	desired answer y	respuesta deseada y
lr	The step size is the learning rate	El tamaño del paso es la tasa de aprendizaje
picture	x = {x}, {w}, {b}: z = {z}, a = {a}
sees	The sigmoid turns the sum z = {z} into a = {a}.	La sigmoide convierte la suma z = {z} en a = {a}.
curve	Cost over one parameter	Coste según un parámetro
over	Over	Según
path	Cost after each step	Coste tras cada paso
step	One gradient step	Un paso de gradiente
step.about	The gradient ∂C/∂w says how fast the cost C rises with w. A step goes downhill. At w = b = 2 the curve is flat and learning starts slowly; with cross-entropy it does not.	El gradiente ∂C/∂w dice cuánto sube el coste C con w. Un paso va cuesta abajo. En w = b = 2 la curva es plana y se aprende despacio; con la entropía cruzada, no.
steps	Steps: {n}	Pasos: {n}
n	Neuron {n}	Neurona {n}
of	Neuron {n} of layer {l}	Neurona {n} de la capa {l}
# cost
quadratic	quadratic	cuadrático
cross-entropy	cross-entropy	entropía cruzada
# drag
help	Drag the underlined numbers, or focus one and press the arrow keys.	Arrastra los números subrayados, o enfoca uno y usa las flechas.
# ten
title	Ten neurons	Diez neuronas
about	Ten neurons read the same three inputs, each with its own column of weights. The last layer of the digit network is ten such neurons.	Diez neuronas leen las mismas tres entradas, cada una con su columna de pesos. La última capa de la red de dígitos son diez neuronas así.
# layer
title	A layer as a matrix	Una capa como matriz
about	Three examples at once, one per row. Point at z: each number is a row of x times a column of wᵀ, plus b.	Tres ejemplos a la vez, uno por fila. Señala z: cada número es una fila de x por una columna de wᵀ, más b.
n	Layer {n}	Capa {n}
# matrix
x	x: the inputs, an example per row	x: las entradas, un ejemplo por fila
w	wᵀ: a column of weights per neuron	wᵀ: una columna de pesos por neurona
b	b: a bias per neuron	b: un sesgo por neurona
z	z: the weighted sums	z: las sumas ponderadas
a	a: the activations	a: las activaciones
# digits
deeper	{n} neurons. Each weighs the {k} activations before it. The bar is the activation a.	{n} neuronas. Cada una pondera las {k} activaciones anteriores. La barra es la activación a.
title	Digits	Dígitos
lead	Draw a digit. The network sees 784 pixels, computes z and a layer by layer, and answers with ten probabilities.	Dibuja un dígito. La red ve 784 píxeles, calcula z y a capa por capa y responde con diez probabilidades.
yours	Your digit	Tu dígito
seen	What it sees and says	Lo que ve y dice
seen.about	28 × 28 pixels: cut out, scaled and centred like the training images.	28 × 28 píxeles: recortado, escalado y centrado como las imágenes de entrenamiento.
draw	Draw a digit, or pick a test image.	Dibuja un dígito o elige una imagen de prueba.
sure	with {p}.	con {p}.
tiny	with {p}, but it has too few pixels to show a shape: it is not sure.	con {p}, pero tiene muy pocos píxeles para mostrar una forma: no está segura.
wide	with {p}, but it is as wide as two digits: it is not sure.	con {p}, pero es tan ancho como dos dígitos: no está segura.
unsure	with {p}, but {other} has {q}: it is not sure.	con {p}, pero {other} tiene {q}: no está segura.
several	It found {n} digits and reads the largest.	Encontró {n} dígitos y lee el mayor.
truth	Test image {index} is a {label}.	La imagen de prueba {index} es un {label}.
pixel	Pixel	Píxel
pixel.about	Input {i} of {n}: 0 is paper, 1 is ink.	Entrada {i} de {n}: 0 es papel, 1 es tinta.
hidden	Hidden neurons	Neuronas ocultas
hidden.about	{n} neurons, each with {k} weights, drawn as an image: ink on blue raises z, ink on orange lowers it. The bar is the activation a.	{n} neuronas, cada una con {k} pesos, dibujados como imagen: la tinta en azul sube z, en naranja la baja. La barra es la activación a.
last	Output neurons	Neuronas de salida
last.about	{n} neurons, one per class. Each weighs the {k} activations before it.	{n} neuronas, una por clase. Cada una pondera las {k} activaciones anteriores.
all	Every z and a	Todas las z y a
test	Test images	Imágenes de prueba
test.n	Test image {i}, a {label}	Imagen de prueba {i}, un {label}
mistakes	The worst mistakes	Los peores errores
mistakes.of	{correct} of {images} are right ({share}). Truth → answer, the surest first.	{correct} de {images} son correctas ({share}). Verdad → respuesta, primero las más seguras.
mistake	{label} → {said}, test image {i}	{label} → {said}, imagen de prueba {i}
photo	A photo	Una foto
photo.how	Drop or paste a photo of digits, or choose a file:	Suelta o pega una foto de dígitos, o elige un archivo:
photo.n	Digit of the photo, read as {digit}	Dígito de la foto, leído como {digit}
photo.found	Digits found in the photo: {n}.	Dígitos hallados en la foto: {n}.
# pad
help	Mouse, finger, pen; or arrow keys to move, Space to lower or lift the pen, Delete to clear.	Ratón, dedo, lápiz; o flechas para mover, Espacio para bajar o levantar el lápiz, Supr para borrar.
down	Pen down	Lápiz abajo
up	Pen up	Lápiz arriba
cleared	Cleared	Borrado
# weights
read	z is the inputs times these weights, plus a bias. Blue is positive, orange negative.	z es las entradas por estos pesos, más un sesgo. Azul es positivo, naranja negativo.
# train
title	Train	Entrenar
lead	Watch the loss fall and the weights take shape. Then open one step and follow every matrix.	Mira cómo baja la pérdida y toman forma los pesos. Luego abre un paso y sigue cada matriz.
start	Start a training	Empezar un entrenamiento
kind	What	Qué
name	Name of the run	Nombre de la ejecución
auto	automatic	automático
same	The result is an ordinary run, bit for bit as from the command line.	El resultado es una ejecución normal, bit a bit como desde la línea de comandos.
resume	Resume or extend a run	Continuar o ampliar una ejecución
live	The training	El entrenamiento
loss	Loss of each step	Pérdida de cada paso
quality	Evaluations	Evaluaciones
watch	Parameter	Parámetro
look	Look at it	Verlo
# kind
digits	digit network	red de dígitos
gpt	small GPT	GPT pequeño
# speed
step	One step	Un paso
slow	Slow	Lento
full	Full speed	Al máximo
pause	Pause	Pausa
# state
loading	loading	cargando
running	training	entrenando
paused	paused	en pausa
finished	finished	terminado
stopped	stopped	parado
failed	failed	falló
# metric
val_bleu	validation BLEU	BLEU de validación
val_loss	validation loss	pérdida de validación
validation_accuracy	validation accuracy	exactitud de validación
test_accuracy	test accuracy	exactitud de prueba
train_loss	training loss	pérdida de entrenamiento
loss	loss of a step	pérdida de un paso
lr	learning rate	tasa de aprendizaje
grad_norm	gradient norm	norma del gradiente
# step
title	One step, opened	Un paso, abierto
about	update_mini_batch asks backprop for the gradient and takes a step. Blue: values flow forward. Orange: the error δ flows back. Each gradient has the shape of its matrix.	update_mini_batch pide el gradiente a backprop y da un paso. Azul: los valores avanzan. Naranja: el error δ vuelve. Cada gradiente tiene la forma de su matriz.
open	Open a step	Abrir un paso
training	the training above	el entrenamiento de arriba
facts	Loss {loss}, B = {batch} examples of {labels}, η = {eta}	Pérdida {loss}, B = {batch} ejemplos de {labels}, η = {eta}
more	What opens here is a step of plain gradient descent. The run itself trains with {settings}.	Lo que se abre aquí es un paso del descenso de gradiente simple. La ejecución entrena con {settings}.
line	Line of the step	Línea del paso
flow	The way of values and errors	El camino de valores y errores
# example
n	example {i}, a {label}	ejemplo {i}, un {label}
# line
x	The images of the mini-batch, one per row.	Las imágenes del minilote, una por fila.
z	Layer {l}: each row times the weights, plus the biases.	Capa {l}: cada fila por los pesos, más los sesgos.
a	Layer {l}: the activations, squashed z.	Capa {l}: las activaciones, z comprimida.
delta	Layer {l}: how the cost changes with z. It comes from the layer behind, so it flows back.	Capa {l}: cómo cambia el coste con z. Viene de la capa siguiente: fluye hacia atrás.
nabla_b	Layer {l}: the gradient of the biases, the sum of the rows of δ.	Capa {l}: el gradiente de los sesgos, la suma de las filas de δ.
nabla_w	Layer {l}: the gradient of the weights, δᵀ times what came in.	Capa {l}: el gradiente de los pesos, δᵀ por lo que entró.
update	The step: each parameter goes against its gradient, times η.	El paso: cada parámetro va contra su gradiente, por η.
# tokens
title	From pixels to tokens	De píxeles a tokens
lead	An image is a row of numbers. A token becomes one too. From there on, both run through the same function.	Una imagen es una fila de números. Un token se vuelve otra. Desde ahí, ambos pasan por la misma función.
image	An image	Una imagen
text	A text	Un texto
same	Both rows go through the same function:	Ambas filas pasan por la misma función:
called	Called from	Llamada desde
image.in	1. The pixels	1. Los píxeles
image.row	2. All pixels in one row: x	2. Todos los píxeles en una fila: x
image.w	3. The weights: a row per neuron	3. Los pesos: una fila por neurona
image.out	4. x times wᵀ plus b: z	4. x por wᵀ más b: z
token.in	1. Row {id} of the embedding table	1. La fila {id} de la tabla de embeddings
token.row	2. Normalised (with its position, if the model adds one): x	2. Normalizada (con su posición, si el modelo la suma): x
token.w	3. The weights of queries, keys and values	3. Los pesos de consultas, claves y valores
token.out	4. x times wᵀ (plus b, if the model has one): query, key and value	4. x por wᵀ (más b, si el modelo lo tiene): consulta, clave y valor
end	Once text is numbers, a GPT is in essence no different from the digit network.	Una vez que el texto son números, un GPT no es en esencia distinto de la red de dígitos.
# gpt
title	GPT
lead	Type a text. The GPT turns each token into C numbers, lets the tokens look at each other layer by layer, and guesses the next one.	Escribe un texto. El GPT convierte cada token en C números, deja que los tokens se miren capa por capa y adivina el siguiente.
left	Tokens before them, out of its sight: {n}.	Tokens anteriores, fuera de su vista: {n}.
your	Your text	Tu texto
summary	{model}: layers {layers}, heads {heads}, C = {width}, T = {tokens}; {ms} ms.	{model}: capas {layers}, cabezas {heads}, C = {width}, T = {tokens}; {ms} ms.
inside	Inside, part by part	Por dentro, parte por parte
inside.about	Every part opens. Rows are tokens.	Cada parte se abre. Las filas son tokens.
in	Tokens become numbers	Los tokens se vuelven números
in.about	Each token picks its row of a table; its position may add another.	Cada token toma su fila de una tabla; su posición puede sumar otra.
layer	Layer {l}	Capa {l}
layer.about	Attention: from its C numbers each token makes a query (what I look for), a key (what I offer) and a value (what I pass on). Then the MLP thinks about each token alone.	Atención: con sus C números cada token hace una consulta (qué busco), una clave (qué ofrezco) y un valor (qué entrego). Luego el MLP piensa en cada token por separado.
out	Numbers become a guess	Los números se vuelven una predicción
out.about	The last numbers of each token are compared with every token of the vocabulary.	Los últimos números de cada token se comparan con cada token del vocabulario.
# positions
title	The table of positions	La tabla de posiciones
about	Without it, a text would be a bag of tokens. Sines and cosines give each position its own pattern; a model can also learn the table.	Sin ella, un texto sería una bolsa de tokens. Senos y cosenos dan a cada posición su patrón; un modelo también puede aprender la tabla.
kind	Table	Tabla
sinusoidal	sin and cos	sen y cos
learned	learned	aprendida
at	Position {t}, number {c}.	Posición {t}, número {c}.
# look
title	Which token does this one look at?	¿A qué token mira este?
how	Point at a token: the tint of the others says how much it looks at them. Pick a head below.	Señala un token: el tono de los demás dice cuánto los mira. Elige abajo una cabeza.
says	In layer {l}, head {h}, {token} looks at	En la capa {l}, cabeza {h}, {token} mira a
matrix	Attention weights of layer {l}, head {h}	Pesos de atención de la capa {l}, cabeza {h}
weight	{q} looks at {k}	{q} mira a {k}
about	The share of the value of this key in the answer to this query. A row sums to 1.	La parte del valor de esta clave en la respuesta a esta consulta. Una fila suma 1.
masked	Hidden by the mask: exactly 0.	Oculto por la máscara: exactamente 0.
# head
n	Layer {l}, head {h}	Capa {l}, cabeza {h}
# next
title	The ten likeliest next tokens	Los diez tokens siguientes más probables
after	After {token}; {n} tokens can be drawn. Click one to append it.	Tras {token}; {n} tokens pueden salir. Haz clic en uno para añadirlo.
about	Softmax turns the logits z into probabilities.	Softmax convierte los logits z en probabilidades.
add	Append {token}	Añadir {token}
temperature	T below 1 sharpens, above 1 flattens; top-k keeps the k likeliest (0: all). Nothing runs again.	T menor que 1 afila, mayor que 1 aplana; top-k guarda los k más probables (0: todos). Nada se recalcula.
# lens
title	What it would say after each layer	Lo que diría tras cada capa
about	The last norm and the output table, applied after each layer.	La última norma y la tabla de salida, aplicadas tras cada capa.
layer	After	Tras
after	layer {l}	capa {l}
# write
title	Let it write	Que escriba
about	With the temperature and top-k above. “m2g gpt sample” with the same --temperature, --top-k and --seed writes the same text.	Con la temperatura y el top-k de arriba. «m2g gpt sample» con los mismos --temperature, --top-k y --seed escribe el mismo texto.
one	One token	Un token
many	Write	Escribir
length	Tokens
done	{n} tokens in {ms} ms, seed {seed}.	{n} tokens en {ms} ms, semilla {seed}.
# op
wte	Token embedding	Embedding de tokens
wte.about	Each token picks its row of the table.	Cada token toma su fila de la tabla.
wpe	Position embedding	Embedding de posiciones
wpe.about	Each position picks its row.	Cada posición toma su fila.
embedded	What enters the layers	Lo que entra en las capas
embedded.about	What the model knows of each token before any layer.	Lo que el modelo sabe de cada token antes de toda capa.
layer_norm	Normalise	Normalizar
layer_norm.about	Each row gets mean 0 and variance 1, then weights.	Cada fila queda con media 0 y varianza 1, y luego pesos.
ln_f	Last norm	Última norma
c_attn	Q, K and V at once	Q, K y V a la vez
c_attn.about	One matrix product makes queries, keys and values of all heads.	Un producto de matrices hace consultas, claves y valores de todas las cabezas.
q	Queries Q	Consultas Q
q.about	What each token looks for.	Lo que busca cada token.
k	Keys K	Claves K
k.about	What each token offers.	Lo que ofrece cada token.
v	Values V	Valores V
v.about	What each token passes on.	Lo que entrega cada token.
batched_matmul_transposed	Q times Kᵀ	Q por Kᵀ
batched_matmul_transposed.about	Every query meets every key: the dot product says how well they match.	Cada consulta se cruza con cada clave: el producto escalar dice si encajan.
scores	Scores	Puntuaciones
scores.about	Usually divided by √D, so that softmax does not saturate.	Normalmente divididas por √D, para que softmax no se sature.
weights	Mask and softmax	Máscara y softmax
weights.about	Softmax turns each row into shares that sum to 1; what the mask hides gets 0.	Softmax hace de cada fila partes que suman 1; lo que oculta la máscara recibe 0.
batched_matmul	Weighted values	Valores ponderados
batched_matmul.about	Each token receives the mean of the values, with its weights.	Cada token recibe la media de los valores, con sus pesos.
merge_heads	Heads side by side	Cabezas lado a lado
c_proj	Projection	Proyección
c_proj.about	Mixes what was found, back to C numbers.	Mezcla lo hallado, de vuelta a C números.
add	Residual: x + …
add.about	The result is added to what the token had.	El resultado se suma a lo que el token tenía.
c_fc	MLP: widen	MLP: ampliar
c_fc.about	More neurons, for each token alone.	Más neuronas, para cada token por separado.
gelu	MLP: activation	MLP: activación
gelu.about	A soft switch: what the sigmoid is to the digit network.	Un interruptor suave: lo que la sigmoide es para la red de dígitos.
mul	Multiply, number by number	Multiplicar, número a número
scale	Scale	Escalar
scale.about	Every number times the same factor.	Cada número por el mismo factor.
tanh	Cap	Tope
tanh.about	tanh bends large numbers towards ±1.	tanh acerca los números grandes a ±1.
reverse_features	Backwards	Al revés
reverse_features.about	The numbers of each key in reverse order.	Los números de cada clave en orden inverso.
l2_normalize	Length 1	Longitud 1
l2_normalize.about	Each vector is divided by its length: only its direction stays.	Cada vector se divide por su longitud: solo queda su dirección.
negative_distance	Minus the distance	Menos la distancia
negative_distance.about	The nearer a key is to a query, the higher the score.	Cuanto más cerca está una clave de una consulta, mayor es la puntuación.
rms_norm	Normalise	Normalizar
rms_norm.about	Each row is divided by the root of the mean of its squares, then weights.	Cada fila se divide por la raíz de la media de sus cuadrados, y luego pesos.
qk_norm	Normalise Q and K	Normalizar Q y K
rotary	Turn by position	Girar según la posición
rotary.about	Queries and keys turn with their position: their product depends on the distance.	Consultas y claves giran con su posición: su producto depende de la distancia.
value_residual	Values of the first layer	Valores de la primera capa
value_residual.about	They are mixed into the values of this layer.	Se mezclan con los valores de esta capa.
relu	MLP: activation	MLP: activación
relu_squared	MLP: activation	MLP: activación
swiglu	MLP: activation	MLP: activación
block	End of the layer	Fin de la capa
block.about	What goes on to the next layer.	Lo que pasa a la capa siguiente.
logits	Logits
logits.about	A number for every token of the vocabulary.	Un número para cada token del vocabulario.
# what-if
title	What if	¿Y si…?
lead	Another score or another mask for the attention, on the same weights and the same text.	Otra puntuación u otra máscara para la atención, con los mismos pesos y el mismo texto.
not	Not retrained.	Sin reentrenar.
not.about	The weights were learned with the model’s own score and mask. A model trained with others adapts: “m2g lab” measures it, see below.	Los pesos se aprendieron con la puntuación y la máscara propias. Un modelo entrenado con otras se adapta: «m2g lab» lo mide, ver abajo.
before	Before: as trained	Antes: como se entrenó
after	After: not retrained	Después: sin reentrenar
own	{name} (its own)	{name} (la suya)
lab	Retrained, as measured	Reentrenado, medido
lab.none	Not measured yet: run m2g lab score or m2g lab mask.	Aún sin medir: ejecuta m2g lab score o m2g lab mask.
arm	Setting	Ajuste
retrained	Retrained	Reentrenado
standard	Standard	Estándar
seeds	Seeds	Semillas
# score
scaled-dot	the standard.	lo normal.
dot	not divided by √D.	sin dividir por √D.
width-scaled-dot	divided by √C instead of √D.	dividida por √C en vez de √D.
squared-dot	squares the numbers first: the sign is lost.	eleva antes al cuadrado: se pierde el signo.
inverse-dot	1/(q · k): just above 0 wins, just below loses.	1/(q · k): gana lo apenas mayor que 0, pierde lo apenas menor.
reversed-dot	the key read backwards.	la clave leída al revés.
cosine	only the angle counts.	solo cuenta el ángulo.
negative-distance	near is good.	cerca es bueno.
additive	a small network compares query and key.	una red pequeña compara consulta y clave.
# mask
causal	each token sees itself and the earlier ones.	cada token se ve a sí mismo y a los anteriores.
reversed	the lower-left triangle is hidden: each token sees itself and the later ones.	se oculta el triángulo inferior izquierdo: cada token se ve a sí mismo y a los siguientes.
none	each token sees all: it can read the answer.	cada token ve todo: puede leer la respuesta.
window	only the last few are seen.	solo se ven los últimos.
finite	−10 000 instead of −∞.	−10 000 en vez de −∞.
# core
title	One core	Un solo núcleo
lead	One training step of each model, function by function. Joined: what several of them call.	Un paso de entrenamiento de cada modelo, función por función. Unido: lo que llaman varios.
lane	Lane {n}	Carril {n}
lanes	The steps	Los pasos
shared	{n} of {all} functions are shared.	{n} de {all} funciones son compartidas.
share	{name} spends {flops} of its FLOPs in them, and {time} of its time in the core.	{name} gasta en ellas {flops} de sus FLOPs y {time} de su tiempo en el núcleo.
model	{n} parameters; {batch}	{n} parámetros; {batch}
use	calls: {n}; {flops} of FLOPs, {time} of the core’s time	llamadas: {n}; {flops} de FLOPs, {time} del tiempo del núcleo
joined	Several models run this function.	Varios modelos ejecutan esta función.
own	Only one of these models runs it.	Solo uno de estos modelos la ejecuta.
callers	Called here	Se llama aquí
click	Click a function to see its source and the lines that call it.	Haz clic en una función para ver su código y las líneas que la llaman.
# unit
about	about	unos
images	images	imágenes
target tokens	target tokens	tokens de destino
# stage
batch	Fetch a batch	Tomar un lote
forward	Forward	Hacia delante
loss	Loss	Pérdida
backward	Backward	Hacia atrás
clip	Clip the gradient	Recortar el gradiente
update	Update	Actualizar
# runs
title	Runs	Ejecuciones
lead	Every training, also those on the command line, live.	Todos los entrenamientos, también los de la línea de comandos, en vivo.
none	No runs yet.	Aún no hay ejecuciones.
all	All runs	Todas
curves	Curves	Curvas
measure	Measure	Medida
settings	Settings that differ	Ajustes que difieren
two	Choose two runs to compare their settings.	Elige dos para comparar sus ajustes.
equal	All settings are the same.	Todos los ajustes son iguales.
filter	Filter	Filtrar
clear	Choose none	Ninguna
total	{n} runs	{n} ejecuciones
show	Compare {name}	Comparar {name}
compare	Compare	Comparar
kind	Kind	Tipo
best	Best	Mejor
time	Time	Tiempo
changed	Changed settings	Ajustes cambiados
# translation
title	Translation	Traducción
lead	The Transformer reads a sentence and writes another. Who tasted good, the pizza or the oven?	El Transformer lee una frase y escribe otra. ¿Quién sabía bien, la pizza o el horno?
sentence	Sentence	Frase
beam	Beam width	Anchura del haz
go	Translate	Traducir
result	The translation	La traducción
# tree
title	Beam search as a tree	La búsqueda en haz como árbol
about	A column per step. The likeliest beginnings stay open; dashed ones were dropped.	Una columna por paso. Los comienzos más probables siguen; los discontinuos se descartaron.
parent	From	De
fate	Fate	Destino
# fate
kept	kept	sigue
pruned	dropped	descartado
finished	finished	terminado
# cross
title	Cross-attention	Atención cruzada
about	Each row is a token of the translation; it looks at the tokens of the sentence.	Cada fila es un token de la traducción; mira los tokens de la frase.
# ask
without	without	sin
quoted	“{w}”	«{w}»
title	Ask about a word	Pregunta por una palabra
about	What does it look at, and what decides how it is translated?	¿Qué mira, y qué decide cómo se traduce?
translation	Translation:	Traducción:
encoder	“{word}” looks at	«{word}» mira a
cross	Before “{word}” is written, the decoder looks at	Antes de escribir «{word}», el decodificador mira a
test	The causal test	La prueba causal
test.about	A word is changed: everywhere (all), only in the sentence, or only in what is already written. How likely is {words} now?	Se cambia una palabra: en todo, solo en la frase, o solo en lo ya escrito. ¿Qué probabilidad tiene ahora {words}?
change	Changed	Cambio
nothing	nothing	nada
both	all	todo
only_source	source only	solo la frase
only_words	words before only	solo lo ya escrito
moral	Attention says where a layer looks, not what decides. The test does.	La atención dice dónde mira una capa, no qué decide. La prueba, sí.
# notes
title	Notes	Notas
lead	The learning path, with the live pictures of this page in place.	El camino de aprendizaje, con las imágenes vivas de esta página.
list	All notes	Todas las notas
live	Live picture: {chapter}	Imagen viva: {chapter}
`;
