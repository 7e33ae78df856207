//! Nouns: on each line the English singular first, then words that stand for it.

pub(super) const NOUNS: &str = "\
message nachricht nachrichten mensaje mensajes msg dm
mail email dankesmail bestatigungsmail willkommensmail rundmail inbox mailbox postfach correo courriel courrier newsletter
order bestellung bestellungen auftrag commande commandes pedido pedidos
invoice rechnung rechnungen facture factures factura facturas bill receipt
payment charge zahlung zahlungen paiement paiements pago pagos
subscription abo abonnement suscripcion
customer client kunde kunden kundin cliente clientes
contact kontakt kontakte contacto contactos person people persona personas personne personnes subscriber prospect
lead interessent
deal geschaft opportunity
account konto compte cuenta
company firma firmen unternehmen entreprise empresa organization organisation
ticket supportticket support-ticket case
issue bug story incidencia incidencias
task todo aufgabe aufgaben tache taches tarea tareas to-do
card karte karten tarjeta tarjetas carte
page seite seiten pagina
row zeile zeilen ligne lignes fila filas
record eintrag eintrage entry datensatz registro enregistrement item element
file datei dateien fichier fichiers archivo archivos csv pdf spreadsheetfile
document doc dokument dokumente documento documentos contract
image picture photo bild bilder foto fotos imagen imagenes screenshot
video clip
audio voice recording sprachnachricht
event termin termine appointment booking reservation cita reunion meeting evento eventos evenement evenements rendezvous
article artikel articulo articulos headline schlagzeile schlagzeilen news nachrichtenartikel story-article noticia noticias actualite actualites blogpost
post beitrag publicacion
comment kommentar kommentare commentaire commentaires comentario
product produkt produkte produit produits producto productos stock inventory
user benutzer utilisateur usuario member mitglied employee applicant candidate colleague
channel kanal canal
group gruppe groupe grupo
folder ordner dossier carpeta directory
form formular formulaire formulario
submission response einsendung antworten soumission respuesta
review bewertung bewertungen avis resena rating
release version
commit
push
request anfrage anfragen requete solicitud peticion
pullrequest pr
repository repo repositorium depot repositorio
alert alarm alerte alerta warning incident notification benachrichtigung notificacion aviso
note notiz notizen nota notas
report bericht rapport informe
summary zusammenfassung resumen digest overview synthese
feedback ruckmeldung
tweet
transcript
attachment anhang anhange adjunto adjuntos jointe jointes
link url lien enlace
title titel titre titulo subject betreff objet asunto
text texto texte content inhalt contenu contenido body description beschreibung
name nom nombre
address adresse direccion
phone telefon telefono telephone
number nummer numero
price preis prix precio
amount betrag montant importe total sum
status statut estado state
currency wahrung devise moneda divisa
city stadt ville ciudad
priority prioritat priorite prioridad
date datum fecha
sheet tabelle tabellenblatt feuille hoja
table tabla tableau
database datenbank base
list liste lista
board tableau-board tablero
project projekt projet proyecto
team equipe equipo
bucket
feed flux
website site webseite web
weather wetter meteo tiempo
forecast vorhersage wettervorhersage wetterbericht previsions pronostico
temperature temperatur
caption bildunterschrift
reply antwort reponse contestacion
question fragen pregunta preguntas query
score sentiment stimmung mood
category kategorie categorie categoria
tag etikett etiquette etiqueta
field feld champ campo
json xml html markdown
result ergebnis ergebnisse resultat resultado
error fehler erreur erreurs fallo errores failure
workflow ablauf flujo flow automation automatisierung
webhook endpoint endpunkt
data daten angaben donnees datos information info detail
star stars stern estrella etoile
job stelle
language sprache
sms
chat conversation history verlauf
bot assistant assistent agent
thread
signup sign-up registration anmeldung inscription registro-form
visitor
sale sales verkauf
refund
shipment delivery lieferung
campaign kampagne
playlist song track-song
calendar kalender calendrier calendario
reminder erinnerung rappel recordatorio
quote-item offer angebot
property
key-record
template-text
";
